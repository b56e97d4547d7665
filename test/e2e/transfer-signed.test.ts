import { join as joinPath } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Address, Box } from './lib/box.ts';
import { delv } from './lib/delv.ts';
import { authoritativeSerial, dig } from './lib/dig.ts';
import { type DnsServer, dnsServerPrograms, freePort, startDnsServer } from './lib/dns-servers.ts';
import { eventually } from './lib/eventually.ts';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { run, runWell } from './lib/run.ts';
import { openScene } from './lib/scene.ts';
import { type SigningFolder, signingFolder } from './lib/signed-zone.ts';

const scene = openScene();
const kinds = ['knot', 'nsd', 'bind', 'powerdns'] as const;
const tools = ['dig', 'delv', 'dnssec-keygen', 'dnssec-signzone'];
const programs = [...tools, ...kinds.flatMap((kind) => dnsServerPrograms[kind])];
const origin = 'secure.example';

function text(serial: number, more: readonly string[] = []): string {
  return [
    '$TTL 300',
    `@ SOA ns1 hostmaster ${serial} 14400 3600 1209600 300`,
    '@ NS ns1',
    'ns1 A 192.0.2.1',
    'www A 192.0.2.80',
    '*.wild A 192.0.2.7',
    'alias CNAME www',
    'sub NS ns.sub',
    'ns.sub A 192.0.2.9',
    'svc HTTPS 1 . alpn=h2',
    ...Array.from({ length: 20 }, (_, i) => `host${i} AAAA 2001:db8::${i + 1}`),
    ...more,
    '',
  ].join('\n');
}

describe.skipIf(whyNot({ programs }, 'transfer-signed'))(
  'a signed zone, to servers that are known by their IPv6 address alone',
  () => {
    let alice: Box;
    let signing: SigningFolder;
    let here: Address;
    const servers: DnsServer[] = [];

    async function answered(serial: number): Promise<void> {
      for (const server of servers)
        await eventually(
          `${server.kind} answers ${serial}`,
          async () => (await authoritativeSerial(server.address, origin)) === serial,
          20_000,
        ).catch((error: unknown) => {
          process.stderr.write(`\n===== ${server.kind}\n${server.log().slice(-8000)}\n`);
          throw error;
        });
    }

    /** All records of the zone, as the real dig transfers them from here. */
    async function records(): Promise<string[][]> {
      const at = [`@${here.host}`, '-p', String(here.port)];
      const axfr = await runWell(['dig', '-r', ...at, origin, 'AXFR', '+noall', '+answer']);
      return axfr
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith(';'))
        .map((line) => line.split(/\s+/));
    }

    /** Every signature that alice has for a type at a name is what the server answers with, octet for octet. */
    async function sameSignatures(address: Address, kind: string): Promise<number> {
      const signatures = new Map<string, Set<string>>();
      for (const [owner = '', , , type, covered = '', ...rest] of await records())
        if (type === 'RRSIG' && covered !== 'NSEC3') {
          const key = `${owner} ${covered}`;
          signatures.set(key, (signatures.get(key) ?? new Set()).add(rest.join(' ')));
        }
      for (const [key, wanted] of signatures) {
        const [owner = '', covered = ''] = key.split(' ');
        const { answers } = await dig(address, owner, covered, { tcp: true, more: ['+dnssec'] });
        const got = answers
          .map((line) => line.split(' '))
          .filter(([, , , type, of]) => type === 'RRSIG' && of === covered)
          .map((fields) => fields.slice(5).join(' '));
        expect(new Set(got), `${kind}: ${key}`).toEqual(wanted);
      }
      return signatures.size;
    }

    beforeAll(async () => {
      const block = await freshBlock();
      alice = scene.box({ name: 'alice', host: block.of(1) });
      await alice.init();
      here = { host: '::1', port: await freePort('::1') };
      const ports = new Map<string, number>();
      for (const kind of kinds) ports.set(kind, await freePort('::1'));
      const listed = [...ports.values()].map((port) => `{ address = "[::1]:${port}" }`).join(', ');
      const config = alice
        .read('peer.toml')
        .replace('[dns]\n', `[dns]\ntransfer = [${listed}]\n`)
        .replace(/^(listen\s*= \["[\d.]+:5353")\]/m, `$1, "[::1]:${here.port}"]`);
      alice.write('peer.toml', config);
      await alice.up();
      signing = await signingFolder(joinPath(alice.home, 'signing'), origin);
      await alice.well(['zone', 'add', origin, '--file', await signing.sign(text(1))]);
      await eventually('it is answered here', async () => (await authoritativeSerial(here, origin)) === 1);
      for (const [kind, port] of ports) {
        const lines = await alice.well(['zone', 'serve-with', kind, '--peer', `[::1]:${port}`]);
        const setup = { port, host: '::1', text: lines };
        servers.push(scene.use(await startDnsServer(kind as DnsServer['kind'], setup)));
      }
    });

    it('comes to all four with every signature octet for octet, and delv validates their answers', async () => {
      await answered(1);
      for (const { kind, address } of servers) {
        expect(await sameSignatures(address, kind)).toBeGreaterThan(25);
        for (const [name, type] of [
          [origin, 'SOA'],
          [`www.${origin}`, 'A'],
          [`alias.${origin}`, 'A'],
          [`svc.${origin}`, 'HTTPS'],
          [`any.wild.${origin}`, 'A'],
        ] as const)
          expect(await delv(address, signing, name, type), `${kind} ${name} ${type}`).toContain(
            '; fully validated',
          );
        for (const [name, type] of [
          [`nothing.${origin}`, 'A'],
          [`www.${origin}`, 'TXT'],
        ] as const)
          expect(await delv(address, signing, name, type), `${kind} ${name} ${type}`).toContain(
            '; negative response, fully validated',
          );
      }
    });

    it('changes there with new signatures, which validate too', async () => {
      await signing.sign(text(2, ['new A 192.0.2.3']));
      await answered(2);
      for (const { kind, address } of servers) {
        expect(await sameSignatures(address, kind)).toBeGreaterThan(25);
        expect(await delv(address, signing, `new.${origin}`, 'A'), kind).toContain('; fully validated');
        expect(await delv(address, signing, `nothing.${origin}`, 'A'), kind).toContain(
          'negative response, fully',
        );
      }
    });

    it('is refused to an address that is not listed', async () => {
      const ask = async ({ host, port }: Address): Promise<string> =>
        (await run(['dig', '-r', `@${host}`, '-p', String(port), origin, 'AXFR', '+time=2', '+tries=1']))
          .stdout;
      expect(await ask(here)).toContain('XFR size');
      expect(await ask(alice.dns)).toContain('Transfer failed');
    });
  },
);
