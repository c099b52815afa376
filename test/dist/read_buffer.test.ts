import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { withReadBuffer } from '../../src/dist/read_buffer.js';

/** Both ends of a connection, the dialled one first, neither reading. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const dialled = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(dialled, 'connect')])) as [
    [Socket],
    unknown,
  ];
  server.close();
  dialled.pause();
  return [dialled, accepted];
}

/** The next `length` bytes, copied as they come, and the buffers that they came in. */
function read(socket: Socket, length: number): Promise<{ text: string; buffers: Set<ArrayBufferLike> }> {
  return new Promise((resolve) => {
    const buffers = new Set<ArrayBufferLike>();
    let text = '';
    const more = (chunk: Buffer): void => {
      buffers.add(chunk.buffer);
      text += chunk.toString();
      if (text.length < length) return;
      socket.pause();
      socket.off('data', more);
      resolve({ text, buffers });
    };
    socket.on('data', more);
    socket.resume();
  });
}

for (const [n, which] of ['dialled', 'accepted'].entries()) {
  test(`a connection that was ${which} reads everything into one buffer, from where it stood`, async () => {
    const sockets = await pair();
    const peer = sockets[1 - n] as Socket;
    const before = sockets[n] as Socket;
    peer.write('one');
    assert.equal((await read(before, 3)).text, 'one');
    peer.write('two');
    const { socket, rest } = withReadBuffer(before);
    assert.notEqual(socket, before);
    const two = await read(socket, 3 - rest.length);
    assert.equal(rest.toString() + two.text, 'two');
    peer.write('three');
    const three = await read(socket, 5);
    assert.equal(three.text, 'three');
    const buffers = new Set([...two.buffers, ...three.buffers]);
    assert.equal(buffers.size, 1, 'this release of Node.js does not read into the buffer that it is given');
    // what is written goes out, and each end sees the other close
    socket.end('four');
    assert.equal((await read(peer, 4)).text, 'four');
    peer.resume().end();
    socket.resume();
    await Promise.all([once(peer, 'close'), once(socket, 'close')]);
  });
}

test('what the old socket had read already is handed over', async () => {
  const [dialled, accepted] = await pair();
  dialled.write('here');
  accepted.once('readable', () => {});
  await once(accepted, 'readable');
  const { socket, rest } = withReadBuffer(accepted);
  assert.equal(rest.toString(), 'here');
  dialled.write('there');
  assert.equal((await read(socket, 5)).text, 'there');
  socket.destroy();
  dialled.resume();
  await once(dialled, 'close');
});

test('a connection that is gone stays as it is', async () => {
  const [dialled, accepted] = await pair();
  accepted.destroy();
  assert.equal(withReadBuffer(accepted).socket, accepted);
  dialled.resume();
  await once(dialled, 'close');
});
