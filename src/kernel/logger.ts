// Where log events go: pino, in JSON for machines or as one readable line on a terminal. The only door to pino.
//
// The levels are OTP's eight. A library user who wants something else gives a `Log` function of their own.
import { pino, type StreamEntry } from 'pino';
import type { Log, LogLevel, LogOrigin } from '../erts/log.js';
import { atom } from '../terms/atom.js';
import { TermMap } from '../terms/map.js';
import { Tuple } from '../terms/tuple.js';

export interface LogOptions {
  /** The least severe level that is shown; `notice` as in OTP by default. */
  readonly level?: LogLevel | 'none';
  /** Whether "a child is started" and its like are shown, at level `info` and below; true as in OTP by default. */
  readonly progress?: boolean;
  /** `json`: one JSON object a line; `line`: one line for a person. */
  readonly style: 'json' | 'line';
  /** Where the text goes, standard output by default. */
  readonly write?: (text: string) => void;
  /** Colours on a terminal (style `line`). */
  readonly colours?: boolean;
}

/** Severities as numbers that grow, in pino's range. */
const LEVELS: Readonly<Record<LogLevel, number>> = {
  debug: 20,
  info: 30,
  notice: 35,
  warning: 40,
  error: 50,
  critical: 60,
  alert: 70,
  emergency: 80,
};

/** A log sink. It writes synchronously: what was logged before an exit is seen. */
export function createLog(options: LogOptions): Log {
  if (options.level === 'none') return () => {};
  const output = options.write ?? standardOutput();
  const stream = {
    write: options.style === 'json' ? output : (json: string) => output(line(json, options.colours)),
  };
  const logger = pino(
    {
      customLevels: LEVELS,
      useOnlyCustomLevels: true,
      level: options.level ?? 'notice',
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream as StreamEntry['stream'],
  );
  return (level, text, fields, origin) => {
    if (options.progress === false && isProgress(origin)) return;
    if (fields === undefined) logger[level](text);
    else logger[level](fields, text);
  };
}

const LABEL = atom('label');
const PROGRESS = atom('progress');

/** "A child is started", "an application is started": reports of supervisors and the application controller. */
function isProgress(origin: LogOrigin | undefined): boolean {
  const label = origin?.report instanceof TermMap ? origin.report.get(LABEL) : undefined;
  return label instanceof Tuple && label.elements[1] === PROGRESS;
}

function standardOutput(): (text: string) => void {
  const destination = pino.destination({ dest: 1, sync: true });
  // A reader that went away (`otpnode | head`) must not end the node.
  destination.on('error', () => {});
  return (text) => destination.write(text);
}

const COLOURS: Readonly<Record<string, string>> = {
  debug: '\x1b[36m',
  warning: '\x1b[33m',
  error: '\x1b[31m',
  critical: '\x1b[31m',
  alert: '\x1b[31m',
  emergency: '\x1b[31m',
};

/** pino's JSON as Elixir's console shows an event: `12:34:56.789 [info] text key=value`. */
function line(json: string, colours = false): string {
  const { level, time, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const clock = new Date(String(time));
  const two = (n: number, width = 2): string => String(n).padStart(width, '0');
  const at = `${two(clock.getHours())}:${two(clock.getMinutes())}:${two(clock.getSeconds())}.${two(clock.getMilliseconds(), 3)}`;
  const shown = Object.entries(fields).map(([key, value]) => ` ${key}=${fieldText(value)}`);
  const text = `${at} [${level}] ${msg ?? ''}${shown.join('')}`;
  const colour = colours ? COLOURS[String(level)] : undefined;
  return colour === undefined ? `${text}\n` : `${colour}${text}\x1b[0m\n`;
}

function fieldText(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? String(value);
}
