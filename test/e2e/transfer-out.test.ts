import { chmodSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial, dig } from './lib/dig.ts';
import { type DnsServer, dnsServerPrograms, freePort, startDnsServer } from './lib/dns-servers.ts';
import { eventually } from './lib/eventually.ts';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { run, runWell } from './lib/run.ts';
import { allTogether, join, openScene } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const kinds = ['knot', 'nsd', 'bind', 'powerdns'] as const;
const programs = ['dig', ...kinds.flatMap((kind) => dnsServerPrograms[kind])];
const skip = whyNot({ programs, root: true }, 'transfer-out') !== undefined;
/** These take the catalog; NSD does since 4.9, and Debian's is older. */
const consumers = ['knot', 'bind', 'powerdns'];

let alice: Box;
let bob: Box;
const servers: DnsServer[] = [];
const ports = new Map<string, number>();

/** Long enough that a change is shorter than the zone. */
const filler = Array.from({ length: 40 }, (_, i) => `host${i} IN A 192.0.2.${i}`);

function write(box: Box, file: string, serial: number, more: string[] = []): string {
  return box.write(
    file,
    zoneText({ serial, ns1: '192.0.2.1', ns2: '192.0.2.2', more: [...more, ...filler] }),
  );
}

async function answered(of: readonly DnsServer[], origin: string, serial: number, withinMs = 20_000) {
  await Promise.all(
    of.map((server) =>
      eventually(
        `${server.kind} answers ${serial} for ${origin}`,
        async () => (await authoritativeSerial(server.address, origin)) === serial,
        withinMs,
      ).catch((error: unknown) => {
        process.stderr.write(`\n===== ${server.kind}\n${server.log().slice(-8000)}\n`);
        throw error;
      }),
    ),
  );
}

/** What our side says it sent: `zone how from→to`, oldest first. */
function transfers(): string[] {
  return alice
    .log()
    .split('\n')
    .flatMap((line) => {
      if (!line.includes('a zone was transferred')) return [];
      const { zone, how, fromSerial, serial } = JSON.parse(line) as Record<string, string | number>;
      return [`${zone} ${how} ${fromSerial ?? '-'} ${serial}`];
    });
}

describe.skipIf(skip)('the zones of a box', () => {
  beforeAll(async () => {
    const block = await freshBlock();
    alice = scene.box({ name: 'alice', host: block.of(1) });
    bob = scene.box({ name: 'bob', host: block.of(2) });
    await alice.init();
    await bob.init();
    for (const kind of kinds) ports.set(kind, await freePort());
    chmodSync(alice.write('home.key', await runWell(['tsig-keygen', 'home'])), 0o600);
    const listed = [...ports.values()]
      .map((port) => `{ address = "127.0.0.1:${port}", tsig-file = "home.key" }`)
      .join(', ');
    alice.write('peer.toml', alice.read('peer.toml').replace('[dns]\n', `[dns]\ntransfer = [${listed}]\n`));
    await alice.up();
    await bob.up();
    await join(bob, alice);
    await allTogether([alice, bob]);
    await alice.well(['zone', 'add', 'alice.example', '--file', write(alice, 'alice.zone', 1)]);
    await bob.well(['zone', 'add', 'bob.example', '--file', write(bob, 'bob.zone', 1)]);
    await eventually('alice serves the zone of bob', async () => {
      return (await authoritativeSerial(alice.dns, 'bob.example')) === 1;
    });
  });

  it('come to NSD, Knot, BIND and PowerDNS by the lines that serve-with prints', async () => {
    for (const kind of kinds) {
      const port = ports.get(kind) ?? 0;
      const text = await alice.well(['zone', 'serve-with', kind, '--peer', `127.0.0.1:${port}`]);
      servers.push(scene.use(await startDnsServer(kind, port, text)));
    }
    await answered(servers, 'alice.example', 1);
    await answered(servers, 'bob.example', 1);
    expect(transfers().filter((line) => line.startsWith('alice.example axfr')).length).toBeGreaterThanOrEqual(
      4,
    );
  });

  it('change on all four by IXFR as soon as they change here, own ones and those of friends', async () => {
    const before = transfers().length;
    write(alice, 'alice.zone', 2, ['new IN A 192.0.2.7']);
    write(bob, 'bob.zone', 2, ['new IN A 192.0.2.7']);
    await answered(servers, 'alice.example', 2, 5000);
    await answered(servers, 'bob.example', 2, 5000);
    for (const { address } of servers) {
      expect((await dig(address, 'new.alice.example', 'A')).answers).toEqual([
        'new.alice.example. 300 IN A 192.0.2.7',
      ]);
    }
    await eventually('every transfer is noted', () => transfers().length >= before + 8);
    const since = transfers().slice(before);
    expect(since.filter((line) => line === 'alice.example ixfr 1 2')).toHaveLength(4);
    expect(since.filter((line) => line === 'bob.example ixfr 1 2')).toHaveLength(4);
    const knot = servers.find(({ kind }) => kind === 'knot');
    expect(knot?.log()).toMatch(/\[alice\.example\.\] IXFR, incoming.*finished/);
  });

  it('appear and vanish on the three that take the catalog, with nothing changed in their configuration', async () => {
    const takers = servers.filter(({ kind }) => consumers.includes(kind));
    await alice.well(['zone', 'add', 'second.example', '--file', write(alice, 'second.zone', 5)]);
    await answered(takers, 'second.example', 5);
    await alice.well(['zone', 'remove', 'second.example']);
    for (const { kind, address } of takers) {
      await eventually(
        `${kind} forgets it`,
        async () => (await dig(address, 'second.example', 'SOA')).status === 'REFUSED',
        20_000,
      );
    }
    await answered(servers, 'alice.example', 2, 1000);
  });

  it('are given to nobody without the key, and the catalog is told to nobody else', async () => {
    const ask = async (more: string[]) => {
      const at = [`@${alice.dns.host}`, '-p', String(alice.dns.port), '+norec', '+time=2', '+tries=1'];
      return (await run(['dig', '-r', ...at, ...more])).stdout;
    };
    const [, secret = ''] = /secret "([^"]+)"/.exec(alice.read('home.key')) ?? [];
    expect(await ask(['alice.example', 'AXFR'])).toContain('Transfer failed');
    expect(await ask(['-y', `hmac-sha256:home:${secret}`, 'alice.example', 'AXFR'])).toContain('XFR size');
    const wrong = Buffer.alloc(32).toString('base64');
    expect(await ask(['-y', `hmac-sha256:home:${wrong}`, 'alice.example', 'SOA'])).toContain('BADSIG');
    expect(await ask(['-y', `hmac-sha256:other:${secret}`, 'alice.example', 'SOA'])).toContain('BADKEY');
    expect(await ask(['catalog.alice.invalid', 'SOA'])).toContain('REFUSED');
    const signed = await ask(['-y', `hmac-sha256:home:${secret}`, 'catalog.alice.invalid', 'SOA']);
    expect(signed).toContain('NOERROR');
    expect(signed).not.toMatch(/WARNING|Couldn't verify/);
  });

  it('catch up after the box was off, though its journal begins anew', async () => {
    await alice.stop();
    write(alice, 'alice.zone', 3, ['later IN A 192.0.2.8']);
    await alice.up();
    await answered(servers, 'alice.example', 3);
  });
});
