// The events of a node, as its user hears of them.
import { captureRejectionSymbol, EventEmitter } from 'node:events';
import type { System } from '../erts/system.js';
import type { Term } from '../terms/term.js';
import type { ApplicationEvent } from './application_controller.js';

/** What a node tells whoever started it. */
export interface NodeEvents {
  /**
   * The node is about to stop, for that reason: a kernel service ended, or an application whose end is that of its
   * node, as in `{application_terminated, distro, killed}`.
   */
  fatal: [reason: Term];
  /** An application was started or ended on this node. */
  application: [event: ApplicationEvent];
  /** The node has stopped. */
  stopped: [];
}

/** Listeners are the user's: what they throw, and what their promises reject with, is logged. */
export function nodeEvents(system: System): EventEmitter<NodeEvents> {
  const events = new EventEmitter<NodeEvents>({ captureRejections: true });
  events[captureRejectionSymbol] = (error, ...[name]) => listenerFailed(system, name, error);
  return events;
}

/** Tells the listeners; never throws. */
export function emit<K extends keyof NodeEvents>(
  system: System,
  events: EventEmitter<NodeEvents>,
  name: K,
  ...args: NodeEvents[K]
): void {
  try {
    (events as EventEmitter).emit(name, ...args);
  } catch (error) {
    listenerFailed(system, name, error);
  }
}

function listenerFailed(system: System, name: unknown, error: unknown): void {
  system.log('error', `a listener of the event ${String(name)} failed: ${String(error)}`);
}
