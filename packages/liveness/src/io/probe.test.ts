import { createServer as createHttp } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { ServiceCheck } from '../service-check.ts';
import { probe } from './probe.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const here = { address: '127.0.0.1', allowPrivate: true };
const smtp = (port: number, greets: string[] = ['alice.example']): ServiceCheck => ({
  kind: 'smtp',
  host: 'mail.alice.example',
  port,
  greets,
});
const http = (port: number, more: { path?: string; contains?: string } = {}): ServiceCheck => ({
  kind: 'http',
  secure: false,
  host: 'www.alice.example',
  port,
  path: more.path ?? '/',
  contains: more.contains,
});

it('hears a greeting, however it is cut, says QUIT and leaves', async () => {
  let said = '';
  const port = await listening(
    createServer((socket) => {
      socket.write('220 mail.ali');
      setImmediate(() => socket.write('ce.example ESMTP\r\n'));
      socket.on('data', (bytes) => {
        said += bytes.toString();
        socket.end('221 bye\r\n');
      });
    }),
  );
  expect(await probe(smtp(port), here)).toMatchObject({ kind: 'up' });
  await expect.poll(() => said).toBe('QUIT\r\n');
});

it('a mail server that hangs up, refuses, or talks without end is not up', async () => {
  const silent = await listening(createServer((socket) => socket.end()));
  expect(await probe(smtp(silent), here)).toMatchObject({ kind: 'down' });
  const refusing = await listening(createServer((socket) => socket.end('554 not today\r\n')));
  expect(await probe(smtp(refusing), here)).toEqual({ kind: 'down', why: 'it greets with 554' });
  const endless = await listening(createServer((socket) => socket.write('x'.repeat(200_000))));
  expect((await probe(smtp(endless), here)).kind).toBe('unknown');
  const closed = createServer();
  const port = await listening(closed);
  await new Promise((resolve) => closed.close(resolve));
  expect(await probe(smtp(port), here)).toEqual({ kind: 'down', why: 'the connection is refused' });
});

it('asks for the page by its name, at the address that it was given', async () => {
  const port = await listening(
    createHttp((request, response) => {
      response.end(`${request.headers.host} ${request.url}`);
    }),
  );
  const contains = `www.alice.example:${port} /health`;
  expect(await probe(http(port, { path: '/health', contains }), here)).toMatchObject({ kind: 'up' });
  expect(await probe(http(port, { contains: 'something else' }), here)).toMatchObject({ kind: 'down' });
});

it('follows no redirect, and reads no more than 64 kB', async () => {
  const asked: string[] = [];
  const port = await listening(
    createHttp((request, response) => {
      asked.push(request.url ?? '');
      if (request.url === '/long') response.end(`${'x'.repeat(70_000)}the end`);
      else response.writeHead(302, { location: `http://127.0.0.1:${port}/inside` }).end();
    }),
  );
  expect(await probe(http(port), here)).toMatchObject({ kind: 'up' });
  expect(await probe(http(port, { path: '/long', contains: 'the end' }), here)).toMatchObject({
    kind: 'down',
  });
  expect(asked).toEqual(['/', '/long']);
});

it('connects for a plain check, and no more', async () => {
  const port = await listening(createServer());
  expect(await probe({ kind: 'tcp', host: 'xmpp.alice.example', port }, here)).toMatchObject({ kind: 'up' });
});

it('never touches a private address unless that is allowed, nor a name', async () => {
  let touched = 0;
  const port = await listening(createServer(() => (touched += 1)));
  for (const address of [
    '127.0.0.1',
    '::1',
    '10.1.2.3',
    '169.254.169.254',
    '::ffff:127.0.0.1',
    'localhost',
  ]) {
    const check: ServiceCheck = { kind: 'tcp', host: 'www.alice.example', port };
    expect((await probe(check, { address, allowPrivate: false })).kind, address).toBe('unknown');
  }
  expect(touched).toBe(0);
});

it('is unknown, and over, where it is stopped', async () => {
  const port = await listening(createServer());
  const stop = new AbortController();
  const probing = probe(smtp(port), { ...here, signal: stop.signal });
  stop.abort();
  expect(await probing).toEqual({ kind: 'unknown', why: 'stopped' });
});
