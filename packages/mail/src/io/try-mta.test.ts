import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { startFakeMta } from './testing-mta.ts';
import { tryMta } from './try-mta.ts';

it('a mail server that greets answers, and is sent nothing but a hello and QUIT', async () => {
  await using mta = await startFakeMta({});
  expect(await tryMta({ address: mta.address, form: 'none', hostname: 'alice.example' })).toBeUndefined();
  expect(mta.messages).toEqual([]);
});

it('one that is gone, or refuses, does not, and the reason is told', async () => {
  const server = createServer((socket) => socket.end('421 too busy\r\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const address = { host: '127.0.0.1', port: typeof bound === 'object' && bound !== null ? bound.port : 0 };
  expect(await tryMta({ address, form: 'none', hostname: 'alice.example' })).toMatch(/421/);
  await new Promise((resolve) => server.close(resolve));
  expect(await tryMta({ address, form: 'none', hostname: 'alice.example' })).toMatch(
    new RegExp(`^127\\.0\\.0\\.1:${address.port}: .+`),
  );
});
