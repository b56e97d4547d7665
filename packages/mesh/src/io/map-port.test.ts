import { createSocket, type Socket } from 'node:dgram';
import { afterEach, expect, it } from 'vitest';
import { mapPort } from './map-port.ts';

const routers: Socket[] = [];
afterEach(() => {
  for (const router of routers.splice(0)) router.close();
});

/** A router on loopback that gives `answer` to a request, or nothing. */
async function router(answer: (request: Buffer, nth: number) => Buffer | undefined) {
  const socket = createSocket('udp4');
  routers.push(socket);
  let nth = 0;
  socket.on('message', (request, from) => {
    nth += 1;
    const reply = answer(request, nth);
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port: socket.address().port };
}

function mapped(request: Buffer, externalPort: number): Buffer {
  const reply = Buffer.alloc(16);
  reply[1] = 130;
  request.copy(reply, 8, 4, 6);
  reply.writeUInt16BE(externalPort, 10);
  reply.writeUInt32BE(3600, 12);
  return reply;
}
const never = new AbortController().signal;

it('a router that offers it passes the port on, under the number that it chose, also when a datagram was lost', async () => {
  const at = await router((request, nth) => (nth === 1 ? undefined : mapped(request, 40_001)));
  expect(await mapPort(at, 4853, never)).toEqual({ internalPort: 4853, externalPort: 40_001, lifeS: 3600 });
});

it('a router that refuses, says nonsense, or answers for another port passes nothing on', async () => {
  const refusing = await router(() => Buffer.from([0, 130, 0, 2, 0, 0, 0, 0]));
  expect(await mapPort(refusing, 4853, never)).toBeUndefined();
  const babbling = await router((request, nth) => (nth < 3 ? Buffer.from('hello') : mapped(request, 1)));
  expect(await mapPort(babbling, 4853, never)).toMatchObject({ externalPort: 1 });
  const other = await router((_request, nth) =>
    nth > 1 ? Buffer.from([0, 130, 0, 2, 0, 0, 0, 0]) : mapped(Buffer.from([0, 2, 0, 0, 0, 80]), 80),
  );
  expect(await mapPort(other, 4853, never)).toBeUndefined();
});
