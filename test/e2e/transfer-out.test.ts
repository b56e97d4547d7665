import { chmodSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { startCapture, transfersIn } from './lib/capture.ts';
import { authoritativeSerial, dig } from './lib/dig.ts';
import {
  type DnsServer,
  type DnsServerKind,
  dnsServerPrograms,
  freePort,
  startDnsServer,
} from './lib/dns-servers.ts';
import { eventually } from './lib/eventually.ts';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { run, runWell } from './lib/run.ts';
import { allTogether, join, openScene } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const kinds = ['knot', 'nsd', 'bind', 'powerdns'] as const;
const programs = ['dig', 'kdig', 'faketime', 'tcpdump', ...kinds.flatMap((kind) => dnsServerPrograms[kind])];
const skip = whyNot({ programs, root: true }, 'transfer-out') !== undefined;
/** These take the catalog; NSD does since 4.9, and Debian's is older. */
const consumers = ['knot', 'bind', 'powerdns'];

let alice: Box;
let bob: Box;
const servers: DnsServer[] = [];
const ports = new Map<string, number>();
const takers = (): DnsServer[] => servers.filter(({ kind }) => consumers.includes(kind));

const inOrder = (a: string, b: string): number => a.localeCompare(b);

/** These take what changed alone. */
const byIxfr = ['knot', 'nsd', 'bind'];

/** Long enough that a change is shorter than the zone. */
const filler = Array.from({ length: 40 }, (_, i) => `host${i} IN A 192.0.2.${i}`);

function text(serial: number, more: string[] = []): string {
  return zoneText({ serial, ns1: '192.0.2.1', ns2: '192.0.2.2', more: [...more, ...filler] });
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

async function forgotten(origin: string): Promise<void> {
  for (const server of takers()) {
    const { kind, address } = server;
    await eventually(
      `${kind} forgets ${origin}`,
      async () => (await dig(address, origin, 'SOA')).status === 'REFUSED',
      // PowerDNS locks itself out of its SQLite file now and then, and then waits for the refresh of a minute.
      90_000,
    ).catch((error: unknown) => {
      process.stderr.write(`\n===== ${kind}\n${server.log().slice(-12_000)}\n`);
      throw error;
    });
  }
}

/** What alice's side says it sent: `zone how from→to`, oldest first. */
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

/** The real dig, or kdig, against alice, with one of the keys. */
async function ask(question: string[], key?: { name: string; secret: string }, program = ['dig', '-r']) {
  const at = [`@${alice.dns.host}`, '-p', String(alice.dns.port), '+norec', '+time=2', '+retry=0'];
  const signed = key ? ['-y', `hmac-sha256:${key.name}:${key.secret}`] : [];
  const { stdout, stderr } = await run([...program, ...at, ...signed, ...question]);
  return stdout + stderr;
}

function keyOf(kind: DnsServerKind): { name: string; secret: string } {
  const [, secret = ''] = /secret "([^"]+)"/.exec(alice.read(`${kind}.key`)) ?? [];
  return { name: kind, secret };
}

/** A key for each server, named after it, so that one sees on the wire who asks. */
async function listServers(box: Box, prefix: string, names: readonly string[]): Promise<void> {
  const listed = [];
  for (const name of names) {
    chmodSync(box.write(`${name}.key`, await runWell(['tsig-keygen', `${prefix}${name}`])), 0o600);
    listed.push(`{ address = "127.0.0.1:${ports.get(name)}", tsig-file = "${name}.key" }`);
  }
  const changed = `[dns]\ntransfer = [${listed.join(', ')}]\n`;
  box.write('peer.toml', box.read('peer.toml').replace('[dns]\n', changed));
}

async function printed(box: Box, kind: DnsServerKind, name: string = kind): Promise<string> {
  return await box.well(['zone', 'serve-with', kind, '--peer', `127.0.0.1:${ports.get(name)}`]);
}

describe.skipIf(skip)('the zones of a box', () => {
  beforeAll(async () => {
    const block = await freshBlock();
    alice = scene.box({ name: 'alice', host: block.of(1) });
    bob = scene.box({ name: 'bob', host: block.of(2) });
    await alice.init();
    await bob.init();
    // Two further servers, started at the end, take zones from both boxes.
    const shared = ['shared-knot', 'shared-bind'];
    for (const name of [...kinds, ...shared]) ports.set(name, await freePort());
    await listServers(alice, '', [...kinds, ...shared]);
    await listServers(bob, 'bob-', shared);
    await alice.up();
    await bob.up();
    await join(bob, alice);
    await allTogether([alice, bob]);
    await alice.well(['zone', 'add', 'alice.example', '--file', alice.write('alice.zone', text(1))]);
    await bob.well(['zone', 'add', 'bob.example', '--file', bob.write('bob.zone', text(1))]);
    await eventually('alice serves the zone of bob', async () => {
      return (await authoritativeSerial(alice.dns, 'bob.example')) === 1;
    });
  });

  it('come to NSD, Knot, BIND and PowerDNS by the lines that serve-with prints', async () => {
    const own = { origin: 'static.example', text: text(77) };
    for (const kind of kinds) {
      const port = ports.get(kind) ?? 0;
      const lines = await printed(alice, kind);
      servers.push(scene.use(await startDnsServer(kind, { port, text: lines, own })));
    }
    await answered(servers, 'alice.example', 1);
    await answered(servers, 'bob.example', 1);
    await answered(servers, 'static.example', 77);
    expect(transfers().filter((line) => line.startsWith('alice.example axfr')).length).toBeGreaterThanOrEqual(
      4,
    );
  });

  it('change on all four by IXFR as soon as they change here: seen on the wire, by a decoder that is not ours', async () => {
    const capture = scene.use(await startCapture(alice.dns));
    alice.write('alice.zone', text(2, ['new IN A 192.0.2.7']));
    bob.write('bob.zone', text(2, ['new IN A 192.0.2.7']));
    await answered(servers, 'alice.example', 2, 5000);
    await answered(servers, 'bob.example', 2, 5000);
    for (const { kind, address } of servers) {
      await eventually(`${kind} answers what is new`, async () => {
        const { answers } = await dig(address, 'new.alice.example', 'A');
        return answers.join() === 'new.alice.example. 300 IN A 192.0.2.7';
      });
    }
    const whole = await ask(['alice.example', 'AXFR'], keyOf('knot'));
    const axfrBytes = Number(/XFR size: .*bytes (\d+)/.exec(whole)?.[1]);
    expect(axfrBytes).toBeGreaterThan(800);
    const seen = transfersIn(await capture.stop()).filter(({ type }) => type === 'IXFR');
    for (const zone of ['alice.example', 'bob.example']) {
      const ofZone = seen.filter((transfer) => transfer.zone === zone);
      expect(ofZone.map(({ key }) => `${key}`).toSorted(inOrder)).toEqual(byIxfr.toSorted(inOrder));
      for (const transfer of ofZone) {
        expect(transfer).toMatchObject({ fromSerial: 1, shape: '2 1 2 (1) 2', messages: 1 });
        expect(transfer.sizeBytes).toBeLessThan(axfrBytes / 2);
      }
    }
  });

  it('go on by IXFR after the box was restarted, to servers that were off meanwhile', async () => {
    const off = takers();
    await Promise.all(off.map((server) => server.stop()));
    alice.write('alice.zone', text(3, ['new IN A 192.0.2.7', 'third IN A 192.0.2.7']));
    await eventually(
      'alice has it',
      async () => (await authoritativeSerial(alice.dns, 'alice.example')) === 3,
    );
    const asked = async (serial: number) => await ask([`alice.example`, `IXFR=${serial}`], keyOf('nsd'));
    expect(await asked(2)).toContain('XFR size: 5 records');
    await alice.stop();
    await alice.up();
    expect(await asked(2)).toContain('XFR size: 5 records');
    expect(await asked(1)).toContain('XFR size: 6 records');
    const capture = scene.use(await startCapture(alice.dns));
    for (const server of off) server.start();
    await answered(off, 'alice.example', 3, 40_000);
    const seen = transfersIn(await capture.stop()).filter(
      ({ zone, shape }) => zone === 'alice.example' && shape !== '3',
    );
    const changed = seen.filter(({ type }) => type === 'IXFR');
    expect(changed.map(({ key }) => `${key}`).toSorted(inOrder)).toEqual(['bind', 'knot']);
    for (const transfer of changed) expect(transfer).toMatchObject({ fromSerial: 2, shape: '3 2 3 (1) 3' });
  });

  it('have the same labels in the catalog after a restart, and a group each', async () => {
    const catalog = async () =>
      (await ask(['catalog.alice.invalid', 'AXFR', '+noall', '+answer'], keyOf('bind'))).replaceAll(
        /[ \t]+/g,
        ' ',
      );
    const before = await catalog();
    const ids = [...before.matchAll(/^(\w{32})\.zones\.catalog\.alice\.invalid\. 0 IN PTR (.*)\.$/gm)];
    expect(new Set(ids.map(([, , zone]) => zone))).toEqual(new Set(['alice.example', 'bob.example']));
    const groups = ids.map(([, id, zone]) => [
      zone,
      new RegExp(`^group\\.${id}\\.zones\\.catalog\\.alice\\.invalid\\. 0 IN TXT "(.*)"$`, 'm').exec(
        before,
      )?.[1],
    ]);
    expect(Object.fromEntries(groups)).toEqual({ 'alice.example': 'own', 'bob.example': 'friend' });
    await alice.stop();
    await alice.up();
    await eventually('the catalog is back', async () => (await catalog()).includes('PTR'));
    expect(await catalog()).toBe(before);
  });

  it('appear and vanish on the three that take the catalog, with nothing changed in their configuration', async () => {
    await alice.well(['zone', 'add', 'second.example', '--file', alice.write('second.zone', text(5))]);
    await answered(takers(), 'second.example', 5);
    await alice.well(['zone', 'remove', 'second.example']);
    await forgotten('second.example');
    await answered(servers, 'alice.example', 3, 1000);
  });

  it('leave a zone alone that a server has of its own, whatever the catalogs say', async () => {
    await alice.well(['zone', 'add', 'static.example', '--file', alice.write('static.zone', text(9))]);
    await alice.well(['zone', 'add', 'after.example', '--file', alice.write('after.zone', text(5))]);
    await answered(takers(), 'after.example', 5);
    await answered(servers, 'static.example', 77, 1000);
    await alice.well(['zone', 'remove', 'static.example']);
    await alice.well(['zone', 'remove', 'after.example']);
    await forgotten('after.example');
    await answered(servers, 'static.example', 77, 1000);
  });

  it('are given to nobody without the key, and the catalog is told to nobody else', async () => {
    const { name, secret } = keyOf('knot');
    expect(await ask(['alice.example', 'AXFR'])).toContain('Transfer failed');
    expect(await ask(['alice.example', 'AXFR'], { name, secret })).toContain('XFR size');
    expect(await ask(['catalog.alice.invalid', 'SOA'])).toContain('REFUSED');
    const signed = await ask(['catalog.alice.invalid', 'SOA'], { name, secret });
    expect(signed).toContain('NOERROR');
    expect(signed).not.toMatch(/WARNING|Couldn't verify/);
  });

  it('a wrong key, a wrong secret and a wrong clock are told apart, to the server and to the owner', async () => {
    const { name, secret } = keyOf('knot');
    const events = async (): Promise<string> => await alice.well(['events']);
    expect(await events()).not.toContain('transfer.signature');
    const other = Buffer.alloc(32).toString('base64');
    expect(await ask(['alice.example', 'SOA'], { name, secret: other })).toContain('BADSIG');
    expect(await ask(['alice.example', 'SOA'], { name: 'other', secret })).toContain('BADKEY');
    const ahead = ['faketime', '-f', '+1000s', 'kdig'];
    const late = await ask(['alice.example', 'AXFR'], { name, secret }, ahead);
    expect(late).toMatch(/BADTIME|clock skew/i);
    expect(late).not.toContain('192.0.2.80');
    const said = await events();
    expect(said).toMatch(/with the key "knot", but with another secret \(BADSIG\)/);
    expect(said).toMatch(/with a key "other" that \[dns\] transfer does not have for it \(BADKEY\)/);
    expect(said).toMatch(
      /its clock is (99\d|100\d) s ahead of this one's, and 300 s are allowed \(BADTIME\)/,
    );
  });

  it('of any octets come through: dots, slashes, zero, above 127, labels of 63 and names of 255', async () => {
    const label = 'x'.repeat(63);
    const origin = '0/25.2.0.192.in-addr.arpa';
    // The origin takes 27 octets.
    const longest = `${label}.${label}.${label}.${'y'.repeat(255 - 3 * 64 - 1 - 27)}`;
    const owners = ['a\\.b', '\\.\\./\\.\\./etc', 'nul\\000', 'high\\128\\255', label, longest];
    const odd = text(
      4,
      owners.map((owner, i) => `${owner} IN TXT "odd ${i}"`),
    );
    const file = alice.write('odd.zone', odd);
    await alice.well(['zone', 'add', origin, '--file', file]);
    await answered(takers(), origin, 4);
    for (const { kind, address } of takers())
      for (const [i, owner] of owners.entries()) {
        // PowerDNS does not find such names in its database again.
        if (kind === 'powerdns' && /\\\d/.test(owner)) continue;
        expect(`${(await dig(address, `${owner}.${origin}`, 'TXT')).answers[0]}`, `${kind} ${owner}`).toMatch(
          new RegExp(`TXT "odd ${i}"$`),
        );
      }
    await alice.well(['zone', 'remove', origin]);
    await forgotten(origin);
    const config = alice.read('peer.toml');
    const wrong = [
      '../etc',
      '..',
      'nul\\000.example',
      'high\\255.example',
      `${'x'.repeat(64)}.example`,
      'a/../b.example',
    ];
    for (const name of wrong) {
      const { code, stderr } = await alice.peer(['zone', 'add', name, '--file', file]);
      expect([64, 65], name).toContain(code);
      expect(stderr, name).toMatch(/^peer: \S/m);
      expect(alice.read('peer.toml'), name).toBe(config);
    }
  });

  it('come to one server from two boxes, whose catalogs name the same zones', async () => {
    const shared: DnsServer[] = [];
    for (const kind of ['knot', 'bind'] as const) {
      const name = `shared-${kind}`;
      const lines = `${await printed(alice, kind, name)}\n${await printed(bob, kind, name)}`;
      shared.push(scene.use(await startDnsServer(kind, { port: ports.get(name) ?? 0, text: lines })));
    }
    await answered(shared, 'alice.example', 3);
    await answered(shared, 'bob.example', 2);
    alice.write('alice.zone', text(4));
    bob.write('bob.zone', text(3));
    await answered(shared, 'alice.example', 4);
    await answered(shared, 'bob.example', 3);
  });
});
