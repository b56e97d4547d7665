import { createSocket, type Socket } from 'node:dgram';
import { afterEach, expect, it } from 'vitest';
import { mapPortByNatPmp, unmapPortByNatPmp } from './map-port-natpmp.ts';

const routers: Socket[] = [];
afterEach(() => {
  for (const router of routers.splice(0)) router.close();
});

/** What it says of its own address: 203.0.113.7. */
const outside = Buffer.from([0, 128, 0, 0, 0, 0, 0, 9, 203, 0, 113, 7]);

/** A router on loopback that gives `answer` to a request, or nothing. */
async function router(answer: (request: Buffer, nth: number) => Buffer | undefined) {
  const socket = createSocket('udp4');
  routers.push(socket);
  let nth = 0;
  socket.on('message', (request, from) => {
    const isAddress = request.length === 2;
    if (!isAddress) nth += 1;
    const reply = isAddress ? outside : answer(request, nth);
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
  expect(await mapPortByNatPmp(at, 4853, 4853, never)).toEqual({
    internalPort: 4853,
    externalPort: 40_001,
    lifeS: 3600,
    externalHost: '203.0.113.7',
  });
});

it('a router that refuses, says nonsense, or answers for another port passes nothing on', async () => {
  const refusing = await router(() => Buffer.from([0, 130, 0, 2, 0, 0, 0, 0]));
  expect(await mapPortByNatPmp(refusing, 4853, 4853, never)).toBeUndefined();
  const babbling = await router((request, nth) => (nth < 3 ? Buffer.from('hello') : mapped(request, 1)));
  expect(await mapPortByNatPmp(babbling, 4853, 4853, never)).toMatchObject({ externalPort: 1 });
  const other = await router((_request, nth) =>
    nth > 1 ? Buffer.from([0, 130, 0, 2, 0, 0, 0, 0]) : mapped(Buffer.from([0, 2, 0, 0, 0, 80]), 80),
  );
  expect(await mapPortByNatPmp(other, 4853, 4853, never)).toBeUndefined();
});

it('a mapping is taken away by asking for no time at all', async () => {
  const asked: string[] = [];
  const at = await router((request) => {
    asked.push(request.toString('hex'));
    return Buffer.from('008200000000000912f5000000000000', 'hex');
  });
  await unmapPortByNatPmp(at, 4853, AbortSignal.timeout(1000));
  expect(asked[0]).toBe('0002000012f5000000000000');
});
