// Where the runtime's log events go: a sink that the node sets; silent until then.

export type LogLevel = 'emergency' | 'alert' | 'critical' | 'error' | 'warning' | 'notice' | 'info' | 'debug';

/** A log sink. `text` is one line for a person; `fields` are for machines and hold no secret. */
export type Log = (level: LogLevel, text: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Drops everything. */
export const silent: Log = () => {};
