import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, rename } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import { Certificates, type TlsFiles } from './certificates.ts';
import { type SmtpListener, startSmtpListener } from './smtp-listener.ts';
import {
  ageKey,
  eventually,
  memoryStores,
  recordEvents,
  startFriend,
  systemClock,
  type Told,
  temporaryFolder,
} from './testing.ts';
import { talkTo } from './testing-client.ts';

const openssl = spawnSync('openssl', ['version']).status === 0;
if (!openssl)
  console.warn(
    'skipped: the command openssl is not installed, so there is no certificate to try STARTTLS with',
  );

function makeCertificate(dir: string, name: string): { certFile: string; keyFile: string } {
  const [certFile, keyFile] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)];
  const args = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=${name}`.split(
    ' ',
  );
  const made = spawnSync('openssl', [...args, '-keyout', keyFile, '-out', certFile]);
  if (made.status !== 0) throw new Error(made.stderr.toString());
  return { certFile, keyFile };
}

/** A listener that looks at its certificates all the time, and what it told. */
async function listenWith(tls: TlsFiles): Promise<SmtpListener & { told: Told[] }> {
  const { events, told } = recordEvents();
  const certificates = await Certificates.open(() => tls, { events, nowMs: Date.now, everyMs: 20 });
  const listen = { host: '127.0.0.1', port: 0 };
  const reception = {} as Parameters<typeof startSmtpListener>[0]['reception'];
  const shared = { hostname: 'mx.bob.test', certificates, reception, clock: systemClock, events };
  const listener = await startSmtpListener({ listen, ...shared });
  return {
    address: listener.address,
    told,
    [Symbol.asyncDispose]: async () => {
      certificates[Symbol.dispose]();
      await listener[Symbol.asyncDispose]();
    },
  };
}

/** The name in the certificate that STARTTLS shows, and the connection. */
async function upgrade(address: {
  host: string;
  port: number;
}): Promise<{ name: string | undefined; socket: TLSSocket }> {
  const talk = await talkTo(address);
  expect(await talk.say('STARTTLS')).toMatch(/^220 /);
  talk.socket.removeAllListeners('data');
  const socket = connectTls({ socket: talk.socket, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  return { name: Array.isArray(CN) ? CN[0] : CN, socket };
}

it.skipIf(!openssl)(
  'offers STARTTLS with the certificate of the operator, and the new one when the files change',
  async () => {
    await using folder = await temporaryFolder();
    const first = makeCertificate(folder.dir, 'first.test');
    const second = makeCertificate(folder.dir, 'second.test');
    const tls = { main: first, names: [] };
    await using bob = await listenWith(tls);
    await using talk = await talkTo(bob.address);
    expect(await talk.say('EHLO again')).toContain('STARTTLS');
    const before = await upgrade(bob.address);
    expect(before.name).toBe('first.test');
    before.socket.setEncoding('latin1');
    before.socket.write('EHLO c.test\r\n');
    const [reply] = await once(before.socket, 'data');
    expect(reply).not.toContain('STARTTLS');
    before.socket.destroy();
    for (const part of ['certFile', 'keyFile'] as const) {
      await copyFile(second[part], `${first[part]}.new`);
      await rename(`${first[part]}.new`, first[part]);
    }
    let name: string | undefined = 'first.test';
    while (name === 'first.test') {
      const again = await upgrade(bob.address);
      name = again.name;
      again.socket.destroy();
    }
    expect(name).toBe('second.test');
  },
  30_000,
);

/** What `openssl s_client` is shown when it asks for this name, or for none. */
async function shown({ host, port }: { host: string; port: number }, servername?: string): Promise<string> {
  const name = servername === undefined ? ['-noservername'] : ['-servername', servername];
  const args = ['s_client', '-starttls', 'smtp', '-connect', `${host}:${port}`, ...name];
  const child = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'ignore'] });
  let said = '';
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  child.stdin.end('QUIT\r\n');
  await once(child, 'close');
  return /subject=CN ?= ?(\S+)/.exec(said)?.[1] ?? said;
}

it.skipIf(!openssl)(
  'shows whoever asks for a friend’s name the certificate of that name, also a new one, and everybody else its own',
  async () => {
    await using folder = await temporaryFolder();
    const own = makeCertificate(folder.dir, 'mx.bob.test');
    const alices = makeCertificate(folder.dir, 'mx2.alice.test');
    const carols = makeCertificate(folder.dir, 'mx2.carol.test');
    const names = [{ name: 'mx2.alice.test', ...alices }];
    const tls = { main: own, names };
    await using bob = await listenWith(tls);
    expect(await shown(bob.address, 'mx2.alice.test')).toBe('mx2.alice.test');
    expect(await shown(bob.address, 'MX2.Alice.TEST')).toBe('mx2.alice.test');
    for (const other of ['mx.bob.test', 'mx2.carol.test', 'alice.test', undefined])
      expect(await shown(bob.address, other)).toBe('mx.bob.test');
    // A name that comes with a reload, and a certificate in the place of alice's that is for somebody else.
    names.push({ name: 'mx2.carol.test', ...carols });
    for (const part of ['keyFile', 'certFile'] as const) {
      await copyFile(own[part], `${alices[part]}.new`);
      await rename(`${alices[part]}.new`, alices[part]);
    }
    await eventually(async () => (await shown(bob.address, 'mx2.alice.test')) === 'mx.bob.test');
    expect(await shown(bob.address, 'mx2.carol.test')).toBe('mx2.carol.test');
    const troubles = bob.told.filter(({ kind }) => kind === 'trouble').map(({ error }) => String(error));
    expect(troubles).toContain('Error: it is not for mx2.alice.test, but for CN=mx.bob.test');
  },
  30_000,
);

it.skipIf(!openssl)(
  'a friend’s certificate that is missing, or does not fit its key, is told once and keeps nothing from starting; it is taken when it is there',
  async () => {
    await using folder = await temporaryFolder();
    const spare = makeCertificate(folder.dir, 'mx2.alice.test');
    const other = makeCertificate(folder.dir, 'other.test');
    const [late, ready] = [join(folder.dir, 'late'), join(folder.dir, 'ready')];
    const place = { certFile: join(late, 'crt'), keyFile: join(late, 'key') };
    const tls = { main: undefined, names: [{ name: 'mx2.alice.test', ...place }] };
    await using bob = await listenWith(tls);
    const talk = await talkTo(bob.address);
    expect(await talk.say('EHLO again')).not.toContain('STARTTLS');
    await mkdir(ready);
    await copyFile(spare.certFile, join(ready, 'crt'));
    await copyFile(other.keyFile, join(ready, 'key'));
    await rename(ready, late);
    const troubles = (): string[] =>
      bob.told.filter(({ kind }) => kind === 'trouble').map(({ error }) => String(error));
    await eventually(() => troubles().length === 2);
    expect(troubles()).toEqual([
      expect.stringContaining('ENOENT'),
      expect.stringContaining('values mismatch'),
    ]);
    await copyFile(spare.keyFile, join(folder.dir, 'good'));
    await rename(join(folder.dir, 'good'), place.keyFile);
    await eventually(async () => (await talk.say('EHLO again')).includes('STARTTLS'));
    expect(await shown(bob.address, 'mx2.alice.test')).toBe('mx2.alice.test');
    expect(troubles()).toHaveLength(2);
    await talk[Symbol.asyncDispose]();
  },
  30_000,
);

it('a certificate that cannot be read, or a port that is taken, is an error at the start', async () => {
  const { recipient } = await ageKey();
  const tls = { main: { certFile: '/nowhere/cert', keyFile: '/nowhere/key' }, names: [] };
  await expect(startFriend({ stores: memoryStores(), recipient, tls })).rejects.toThrow('ENOENT');
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const { events } = recordEvents();
  using certificates = await Certificates.open(() => ({ main: undefined, names: [] }), {
    events,
    nowMs: () => systemClock.nowMs(),
  });
  const reception = {} as Parameters<typeof startSmtpListener>[0]['reception'];
  await expect(
    startSmtpListener({
      listen: { host: '127.0.0.1', port },
      hostname: 'h.test',
      certificates,
      reception,
      clock: systemClock,
      events,
    }),
  ).rejects.toThrow('EADDRINUSE');
  taken.close();
});
