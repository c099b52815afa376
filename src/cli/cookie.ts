// The cookie that `erl` would use: from the home directory, else from the XDG place, else a new one (OTP: auth.erl).
import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError } from '../errors.js';

/** Where a cookie file may be, by `$HOME` and `$XDG_CONFIG_HOME`. */
export interface CookiePlaces {
  readonly home: string;
  readonly xdgConfigHome?: string | undefined;
}

/**
 * The content of the cookie file; where there is none, one is made in the home directory with mode 0400.
 * Throws `ConfigError` `bad_option` if the file is open to others or holds no cookie.
 */
export function fileCookie(places: CookiePlaces): string {
  const inHome = join(places.home, '.erlang.cookie');
  const inXdg = join(places.xdgConfigHome || join(places.home, '.config'), 'erlang', '.erlang.cookie');
  return readCookie(inHome) ?? readCookie(inXdg) ?? createCookie(inHome);
}

function readCookie(file: string): string | undefined {
  const stat = statSync(file, { throwIfNoEntry: false });
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
  return cookie;
}

function createCookie(file: string): string {
  const cookie = Array.from({ length: 20 }, () => String.fromCharCode(65 + randomInt(26))).join('');
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, cookie, { mode: 0o400, flag: 'wx' });
  } catch (error) {
    // Another node of ours may just have made it.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return readCookie(file) ?? cookie;
    throw bad(file, `cannot be made: ${(error as Error).message}`);
  }
  return cookie;
}

function bad(file: string, why: string): ConfigError {
  return new ConfigError('bad_option', `the cookie file ${file} ${why}`, { file });
}
