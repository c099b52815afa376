// Cookies: the secret that two nodes must share to connect (OTP: auth.erl).
//
// A connection counts with one cookie in both directions: that set for the peer, else the default one. The default
// comes from the command line or from the file that `erl` uses; such a file can be watched, so that a new cookie
// counts for the next connection. Live connections keep theirs, since it is checked in the handshake only.
// Cookies are kept where neither a log nor `util.inspect` shows them; the handshake compares digests of them in
// constant time.
import { randomInt } from 'node:crypto';
import { linkSync, readFileSync, rmSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../errors.js';
import { type Log, silent } from '../erts/log.js';
import type { Atom } from '../terms/atom.js';

/** Where a cookie file may be, by `$HOME` and `$XDG_CONFIG_HOME`. */
export interface CookiePlaces {
  readonly home: string;
  readonly xdgConfigHome?: string | undefined;
}

export interface CookieFile extends CookiePlaces {
  /** Look before each connection whether the file has changed; false by default, as OTP. */
  readonly reread?: boolean;
}

export interface AuthOptions {
  /** The default cookie, or where its file is. */
  readonly cookie: string | CookieFile;
  /** Other cookies for certain nodes (`-setcookie Node Cookie`). */
  readonly cookies?: Readonly<Record<string, string>>;
  readonly log?: Log;
}

/** A cookie is an atom. */
const MAX_COOKIE = 255;

export class Auth {
  #default: string;
  readonly #byNode: Map<string, string>;
  readonly #watched: CookieFile | undefined;
  readonly #log: Log;
  /** What the file looked like when it was read last. */
  #seen: string | undefined;

  /** Throws `ConfigError` `bad_option` for what can be no cookie, and what is wrong with the file. */
  constructor(options: AuthOptions) {
    const { cookie, cookies = {} } = options;
    this.#log = options.log ?? silent;
    this.#default = typeof cookie === 'string' ? checked(cookie) : fileCookie(cookie);
    this.#byNode = new Map(Object.entries(cookies).map(([node, own]) => [node, checked(own)]));
    this.#watched = typeof cookie !== 'string' && cookie.reread === true ? cookie : undefined;
    if (this.#watched !== undefined) this.#seen = look(this.#watched)?.looks;
  }

  /** The cookie for connections with that node. */
  getCookie(node: Atom): string {
    const own = this.#byNode.get(node.name);
    if (own !== undefined) return own;
    if (this.#watched !== undefined) this.#reread(this.#watched);
    return this.#default;
  }

  /** `erlang:set_cookie/1`: the default from now on; a watched file replaces it when it changes. */
  setDefaultCookie(cookie: string): void {
    this.#default = checked(cookie);
  }

  /** `erlang:set_cookie/2`: for connections with that node from now on. */
  setCookie(node: Atom, cookie: string): void {
    this.#byNode.set(node.name, checked(cookie));
  }

  #reread(places: CookiePlaces): void {
    const found = look(places);
    if (found?.looks === this.#seen) return;
    this.#seen = found?.looks;
    try {
      if (found === undefined) throw new Error('no cookie file is there any more');
      this.#default = readCookie(found.file) ?? this.#default;
      this.#log('notice', `the cookie was read again from ${found.file}; it counts for new connections`);
    } catch (error) {
      this.#log('error', `the old cookie stays in use: ${(error as Error).message}`);
    }
  }
}

/**
 * The content of the cookie file; where there is none, one is made in the home directory with mode 0400.
 * Throws `ConfigError` `bad_option` if the file is open to others or holds no cookie.
 */
export function fileCookie(places: CookiePlaces): string {
  for (const file of candidates(places)) {
    const cookie = readCookie(file);
    if (cookie !== undefined) return cookie;
  }
  return createCookie(candidates(places)[0]);
}

function candidates(places: CookiePlaces): readonly [string, string] {
  const xdg = places.xdgConfigHome || join(places.home, '.config');
  return [join(places.home, '.erlang.cookie'), join(xdg, 'erlang', '.erlang.cookie')];
}

/** The file that counts, and what tells a change of it. */
function look(places: CookiePlaces): { file: string; looks: string } | undefined {
  for (const file of candidates(places)) {
    const stat = statusOf(file);
    if (stat !== undefined) {
      return { file, looks: [file, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs].join(' ') };
    }
  }
  return undefined;
}

function statusOf(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    throw bad(file, `cannot be looked at: ${(error as Error).message}`);
  }
}

/** Undefined if there is no such file. */
function readCookie(file: string): string | undefined {
  const stat = statusOf(file);
  if (stat === undefined) return undefined;
  if (!stat.isFile()) throw bad(file, 'is no regular file');
  if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
    throw bad(file, `must be accessible by owner only: chmod 400 ${file}`);
  }
  let content: string;
  try {
    content = readFileSync(file, 'latin1');
  } catch (error) {
    throw bad(file, `cannot be read: ${(error as Error).message}`);
  }
  // A blank before the end of the line belongs to the cookie, for it is a printable character.
  const [, cookie = '', rest = ''] = /^([ -~]*)([\s\S]*)$/.exec(content) ?? [];
  if (cookie === '') throw bad(file, 'is empty: it must hold a cookie');
  if (/[^\r\n ]/.test(rest)) throw bad(file, 'has characters that no cookie may have');
  if (cookie.length > MAX_COOKIE) throw bad(file, `holds over ${MAX_COOKIE} characters`);
  return cookie;
}

function createCookie(file: string): string {
  const cookie = Array.from({ length: 20 }, () => String.fromCharCode(65 + randomInt(26))).join('');
  // Made whole under another name first: a node that starts at the same time must not find it empty.
  const draft = `${file}.${process.pid}.${randomInt(2 ** 32)}`;
  try {
    writeFileSync(draft, cookie, { mode: 0o400, flag: 'wx' });
    linkSync(draft, file);
    return cookie;
  } catch (error) {
    const theirs = (error as NodeJS.ErrnoException).code === 'EEXIST' ? readCookie(file) : undefined;
    if (theirs !== undefined) return theirs;
    throw bad(file, `cannot be made: ${(error as Error).message}; start with -setcookie instead`);
  } finally {
    rmSync(draft, { force: true });
  }
}

function checked(cookie: string): string {
  const wrong =
    cookie === ''
      ? 'is empty'
      : cookie.length > MAX_COOKIE
        ? `has over ${MAX_COOKIE} characters`
        : /[^\0-\xff]/.test(cookie)
          ? 'has characters outside Latin-1'
          : undefined;
  if (wrong === undefined) return cookie;
  throw new ConfigError('bad_option', `the cookie ${wrong}: letters and digits are safe everywhere`, {
    key: 'setcookie',
  });
}

function bad(file: string, why: string): ConfigError {
  return new ConfigError('bad_option', `the cookie file ${file} ${why}`, { file });
}
