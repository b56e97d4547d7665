import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { type HostPort, isoTime } from '@copain/core';
import { buildStatus } from '@copain/status';
import { quietFacts } from '@copain/status/testing';
import { expect, it } from 'vitest';
import { statusHttpLimits } from '../serving-limits.ts';
import { type StatusHttpOptions, startStatusHttp } from './status-http.ts';

const nowMs = Date.UTC(2026, 10, 22);
const status = buildStatus(quietFacts({ startedAtMs: nowMs }), nowMs);
const failures: unknown[] = [];
const start = (change: Partial<StatusHttpOptions> = {}) =>
  startStatusHttp({
    listen: [{ host: '127.0.0.1', port: 0 }],
    status: () => status,
    metrics: () => 'copain_info 1\n',
    ready: () => true,
    events: { requestFailed: (fields) => failures.push(fields) },
    ...change,
  });

interface Got {
  code: number | undefined;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}
const get = (
  server: { addresses: readonly HostPort[] },
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Got> =>
  new Promise((resolve, reject) => {
    const { host, port } = server.addresses[0] ?? { host: '', port: 0 };
    const sent = httpRequest({ host, port, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ code: response.statusCode, headers: response.headers, body }));
    });
    sent.on('error', reject);
    sent.end();
  });

it('serves the page, the document, the metrics and its health, each with headers that keep browsers strict', async () => {
  await using server = await start();
  const page = await get(server, '/');
  const nonce = /<style nonce="([^"]+)">/.exec(page.body)?.[1];
  expect(page.code).toBe(200);
  expect(page.headers['content-security-policy']).toContain(`default-src 'none'; style-src 'nonce-${nonce}'`);
  expect(page.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  });
  expect(/nonce="([^"]+)"/.exec((await get(server, '/')).body)?.[1]).not.toBe(nonce);
  expect(JSON.parse((await get(server, '/status.json')).body)).toMatchObject({
    schema: 'peer.status/1',
    startedAt: isoTime(nowMs),
  });
  expect(await get(server, '/metrics')).toMatchObject({ code: 200, body: 'copain_info 1\n' });
  expect(await get(server, '/healthz')).toMatchObject({ code: 200, body: 'ok\n' });
  expect(await get(server, '/nothing')).toMatchObject({ code: 404 });
});

it('is not healthy before it is ready', async () => {
  await using server = await start({ ready: () => false });
  expect((await get(server, '/healthz')).code).toBe(503);
});

it('answers GET and HEAD only', async () => {
  await using server = await start();
  const head = await get(server, '/status.json', { method: 'HEAD' });
  expect(head).toMatchObject({ code: 200, body: '' });
  expect(Number(head.headers['content-length'])).toBeGreaterThan(100);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    expect(await get(server, '/', { method })).toMatchObject({ code: 405, headers: { allow: 'GET, HEAD' } });
});

it('a name from elsewhere that points here gets 421, unless a token protects the page (RFC 9110 §15.5.20)', async () => {
  await using server = await start();
  const port = server.addresses[0]?.port;
  const code = async (host: string) => (await get(server, '/', { headers: { host } })).code;
  for (const own of ['localhost', `localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`])
    expect(await code(own)).toBe(200);
  for (const foreign of ['evil.example', `evil.example:${port}`, '192.0.2.1', 'localhost.evil.example'])
    expect(await code(foreign)).toBe(421);
  await using guarded = await start({ token: 't' });
  const headers = { host: 'box.example', authorization: 'Bearer t' };
  expect((await get(guarded, '/', { headers })).code).toBe(200);
});

it('with a token nothing but the health is shown without it; the cookie keeps the links of the page working', async () => {
  await using server = await start({ token: 'tö k' });
  const path = `/?token=${encodeURIComponent('tö k')}`;
  for (const shown of ['/', '/status.json', '/metrics', '/?token=wrong'])
    expect((await get(server, shown)).code).toBe(401);
  expect((await get(server, '/healthz')).code).toBe(200);
  const page = await get(server, path);
  expect(page.code).toBe(200);
  const cookie = String(page.headers['set-cookie']);
  expect(cookie).toMatch(/; HttpOnly; SameSite=Strict/);
  expect((await get(server, '/metrics', { headers: { cookie: cookie.split(';')[0] ?? '' } })).code).toBe(200);
  expect((await get(server, '/metrics', { headers: { cookie: 'copain-token=%' } })).code).toBe(401);
});

it('a source of facts that fails costs one answer, and the log gets no token', async () => {
  await using server = await start({
    token: 't',
    metrics: () => {
      throw new Error('no');
    },
  });
  expect((await get(server, '/metrics?token=t')).code).toBe(500);
  expect(failures).toMatchObject([{ path: '/metrics' }]);
  expect((await get(server, '/healthz')).code).toBe(200);
});

it('refuses headers beyond the bound', async () => {
  await using server = await start();
  const headers = { 'x-long': 'x'.repeat(statusHttpLimits.headerBytes + 1) };
  expect((await get(server, '/', { headers })).code).toBe(431);
});

it('drops connections beyond the bound', async () => {
  await using server = await start();
  const { host, port } = server.addresses[0] ?? { host: '', port: 0 };
  const held = Array.from({ length: statusHttpLimits.connections }, () => connect(port, host));
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  await expect(get(server, '/healthz')).rejects.toThrow();
  for (const socket of held) socket.destroy();
});

it('an address that is taken is an error for people, and nothing stays open', async () => {
  await using server = await start();
  const [taken] = server.addresses;
  if (!taken) throw new Error('no address');
  const free = { host: '127.0.0.1', port: 0 };
  await expect(start({ listen: [free, taken] })).rejects.toMatchObject({ exit: 78, message: /EADDRINUSE/ });
});
