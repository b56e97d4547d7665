import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, rename } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import { sweepEveryMs } from '../limits.ts';
import { startSmtpListener } from './smtp-listener.ts';
import { ageKey, memoryStores, recordEvents, startFriend, systemClock, temporaryFolder } from './testing.ts';
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
    const { recipient } = await ageKey();
    await using bob = await startFriend({ stores: memoryStores(), recipient, tls: first });
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
    const deadlineMs = Date.now() + 3 * sweepEveryMs;
    while (name === 'first.test' && Date.now() < deadlineMs) {
      const again = await upgrade(bob.address);
      name = again.name;
      again.socket.destroy();
    }
    expect(name).toBe('second.test');
  },
  30_000,
);

it('a certificate that cannot be read, or a port that is taken, is an error at the start', async () => {
  const { recipient } = await ageKey();
  const tls = { certFile: '/nowhere/cert', keyFile: '/nowhere/key' };
  await expect(startFriend({ stores: memoryStores(), recipient, tls })).rejects.toThrow('ENOENT');
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const { events } = recordEvents();
  const reception = {} as Parameters<typeof startSmtpListener>[0]['reception'];
  await expect(
    startSmtpListener({
      listen: { host: '127.0.0.1', port },
      hostname: 'h.test',
      tls: undefined,
      reception,
      clock: systemClock,
      events,
    }),
  ).rejects.toThrow('EADDRINUSE');
  taken.close();
});
