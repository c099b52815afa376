import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { Auth, fileCookie } from '../../src/kernel/auth.js';
import { atom } from '../../src/terms/atom.js';

const NODE = atom('b@h');

function home(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'otpnode-auth-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Writes a file as an administrator would: whole, and in place of the old one. */
function replace(file: string, content: string, mode = 0o400): void {
  writeFileSync(`${file}.new`, content, { mode });
  renameSync(`${file}.new`, file);
}

test('a cookie of its own for a node, the default for all others', () => {
  const auth = new Auth({ cookie: 'all', cookies: { 'b@h': 'pair' } });
  assert.equal(auth.getCookie(NODE), 'pair');
  assert.equal(auth.getCookie(atom('c@h')), 'all');
  auth.setDefaultCookie('new');
  auth.setCookie(NODE, 'other');
  assert.equal(auth.getCookie(NODE), 'other');
  assert.equal(auth.getCookie(atom('c@h')), 'new');
});

test('what can be no cookie is refused, without being shown', () => {
  for (const cookie of ['', 'x'.repeat(256), 'sécret✓']) {
    assert.throws(
      () => new Auth({ cookie }),
      (error: Error) =>
        /^the cookie (is|has)/.test(error.message) && (cookie === '' || !error.message.includes(cookie)),
    );
    assert.throws(() => new Auth({ cookie: 'c' }).setCookie(NODE, cookie), { code: 'bad_option' });
  }
  assert.ok(!inspect(new Auth({ cookie: 'SECRET' }), { showHidden: true, depth: 9 }).includes('SECRET'));
});

test('a changed file counts for the next connection when it is watched, and only then', (t) => {
  const folder = home(t);
  const file = join(folder, '.erlang.cookie');
  replace(file, 'ONE');
  const lines: string[] = [];
  const log = (_: string, text: string): void => void lines.push(text);
  const watching = new Auth({ cookie: { home: folder, reread: true }, log });
  const fixed = new Auth({ cookie: { home: folder }, log });
  assert.equal(watching.getCookie(NODE), 'ONE');
  replace(file, 'TWO');
  assert.equal(watching.getCookie(NODE), 'TWO');
  assert.equal(fixed.getCookie(NODE), 'ONE');
  assert.deepEqual(lines, [`the cookie was read again from ${file}; it counts for new connections`]);
});

test('a watched file that turns bad or goes away leaves the old cookie, and is told once', (t) => {
  const folder = home(t);
  const file = join(folder, '.erlang.cookie');
  replace(file, 'ONE');
  const lines: string[] = [];
  const auth = new Auth({
    cookie: { home: folder, reread: true },
    log: (level, text) => void lines.push(`${level} ${text}`),
  });
  replace(file, 'TWO', 0o644);
  assert.equal(auth.getCookie(NODE), 'ONE');
  assert.equal(auth.getCookie(NODE), 'ONE');
  rmSync(file);
  assert.equal(auth.getCookie(NODE), 'ONE');
  assert.equal(lines.length, 2);
  assert.match(lines[0] as string, /^error the old cookie stays in use: .* must be accessible by owner only/);
  assert.ok(!lines.join().includes('TWO'));
  replace(file, 'THREE');
  assert.equal(auth.getCookie(NODE), 'THREE');
});

test('several nodes that start at once in a new home agree on one cookie', (t) => {
  const folder = home(t);
  const cookies = Array.from({ length: 5 }, () => fileCookie({ home: folder }));
  assert.equal(new Set(cookies).size, 1);
  assert.equal(readFileSync(join(folder, '.erlang.cookie'), 'latin1'), cookies[0]);
  assert.equal(statSync(join(folder, '.erlang.cookie')).mode & 0o777, 0o400);
});

test('the file is in the home directory, else in the XDG place, as for erl', (t) => {
  const folder = home(t);
  const xdg = home(t);
  const write = (config: string, cookie: string): void => {
    mkdirSync(join(config, 'erlang'), { recursive: true });
    replace(join(config, 'erlang', '.erlang.cookie'), cookie);
  };
  write(join(folder, '.config'), 'CONFIG');
  assert.equal(fileCookie({ home: folder }), 'CONFIG');
  write(xdg, 'XDG\n');
  assert.equal(fileCookie({ home: folder, xdgConfigHome: xdg }), 'XDG');
  assert.deepEqual(readdirSync(folder), ['.config']);
  replace(join(folder, '.erlang.cookie'), 'HOME');
  assert.equal(fileCookie({ home: folder, xdgConfigHome: xdg }), 'HOME');
  chmodSync(join(folder, '.erlang.cookie'), 0o440);
  assert.throws(
    () => fileCookie({ home: folder, xdgConfigHome: xdg }),
    /accessible by owner only: chmod 400/,
  );
});

test('a home directory that is not there is not made', (t) => {
  const folder = join(home(t), 'none');
  assert.throws(() => fileCookie({ home: folder }), {
    code: 'bad_option',
    message: /\.erlang\.cookie cannot be made: .*; start with -setcookie instead/,
  });
  assert.equal(existsSync(folder), false);
});

test('a folder or an endless line instead of a cookie is refused', (t) => {
  const folder = home(t);
  mkdirSync(join(folder, '.erlang.cookie'));
  assert.throws(() => fileCookie({ home: folder }), /is no regular file/);
  const other = home(t);
  writeFileSync(join(other, '.erlang.cookie'), 'x'.repeat(300), { mode: 0o400 });
  chmodSync(join(other, '.erlang.cookie'), 0o400);
  assert.throws(() => fileCookie({ home: other }), /holds over 255 characters/);
});
