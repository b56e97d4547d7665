import { chmodSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { startCapture, transfersIn } from './lib/capture.ts';
import { authoritativeSerial, dig } from './lib/dig.ts';
import { type DnsServerKind, dnsServerPrograms, freePort } from './lib/dns-servers.ts';
import { eventually } from './lib/eventually.ts';
import { type HiddenPrimary, startHiddenPrimary } from './lib/hidden-primaries.ts';
import { whyNot } from './lib/programs.ts';
import { runWell } from './lib/run.ts';
import { openScene, type Trio, threeFriends } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const kinds = ['bind', 'knot', 'nsd', 'powerdns'] as const;
const programs = ['dig', 'nsupdate', 'tcpdump', ...kinds.flatMap((kind) => dnsServerPrograms[kind])];
const skip = whyNot({ programs, root: true }, 'transfer-in') !== undefined;
/** These are known to answer IXFR with what changed. */
const incremental: readonly DnsServerKind[] = ['bind', 'knot', 'nsd'];

let trio: Trio;
let secret = '';
const primaries = new Map<DnsServerKind, HiddenPrimary>();
const originOf = (kind: DnsServerKind): string => `${kind}.example`;

interface Shown {
  zone: {
    serial: number | null;
    problems: { text: string }[];
    primary: {
      address: string;
      serial: number | null;
      checkedAt: string | null;
      failing: { text: string } | null;
      lastTransfer: { how: string; bytes: number; fromSerial: number | null; serial: number } | null;
    };
  };
}
const shown = async (kind: DnsServerKind): Promise<Shown['zone']> =>
  (await trio.alice.json<Shown>(['zone', 'show', originOf(kind)])).zone;

/** Long enough that a change is shorter than the zone. */
const filler = Array.from({ length: 60 }, (_, i) => `host${i} IN A 192.0.2.${i}`);

async function answeredEverywhere(kind: DnsServerKind, serial: number, withinMs = 20_000): Promise<void> {
  const { alice, bob, carol } = trio;
  await Promise.all(
    [alice, bob, carol].map((box) =>
      eventually(
        `${box.name} answers ${serial} for ${originOf(kind)}`,
        async () => (await authoritativeSerial(box.dns, originOf(kind))) === serial,
        withinMs,
      ).catch((error: unknown) => {
        process.stderr.write(`\n===== ${kind}\n${primaries.get(kind)?.server.log().slice(-6000)}\n`);
        throw error;
      }),
    ),
  );
}

async function startPrimary(kind: DnsServerKind, box: Box, port: number): Promise<HiddenPrimary> {
  const primary = await startHiddenPrimary({
    kind,
    port,
    origin: originOf(kind),
    zone: zoneText({ serial: 1, ns1: '192.0.2.1', ns2: '192.0.2.2', more: filler }),
    key: { name: 'home', secret },
    box: box.dns,
  });
  scene.use(primary.server);
  await eventually(`${kind} answers`, async () => {
    return (await authoritativeSerial(primary.server.address, originOf(kind))) === 1;
  });
  return primary;
}

describe.skipIf(skip)('a zone on a hidden primary', () => {
  beforeAll(async () => {
    trio = await threeFriends(scene);
    const { alice } = trio;
    const keyText = await runWell(['tsig-keygen', 'home']);
    secret = /secret "([^"]+)"/.exec(keyText)?.[1] ?? '';
    chmodSync(alice.write('home.key', keyText), 0o600);
    for (const kind of kinds) primaries.set(kind, await startPrimary(kind, alice, await freePort()));
  });

  it.each(kinds)('comes from %s by AXFR with TSIG, and friends answer it', async (kind) => {
    const { server } = primaries.get(kind) as HiddenPrimary;
    const at = `127.0.0.1:${server.address.port}`;
    const key = `${trio.alice.home}/home.key`;
    const ran = await trio.alice.peer(['zone', 'add', originOf(kind), '--primary', at, '--tsig-file', key]);
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toContain('AXFR');
    await answeredEverywhere(kind, 1);
    const { primary } = await shown(kind);
    expect(primary).toMatchObject({ address: at, serial: 1, failing: null });
    expect(primary.lastTransfer).toMatchObject({ how: 'axfr', serial: 1 });
  });

  it.each(kinds)(
    'follows a change on %s as soon as it says so, by what changed where it can: seen on the wire',
    async (kind) => {
      const primary = primaries.get(kind) as HiddenPrimary;
      const wholeBytes = (await shown(kind)).primary.lastTransfer?.bytes ?? 0;
      const capture = scene.use(await startCapture(primary.server.address));
      await primary.change('new', '192.0.2.77');
      await answeredEverywhere(kind, 2, 10_000);
      for (const box of [trio.alice, trio.bob, trio.carol]) {
        const { answers } = await dig(box.dns, `new.${originOf(kind)}`, 'A');
        expect(answers).toEqual([`new.${originOf(kind)}. 300 IN A 192.0.2.77`]);
      }
      const seen = transfersIn(await capture.stop());
      if (!incremental.includes(kind)) return;
      const changed = { type: 'IXFR', zone: originOf(kind), key: 'home', fromSerial: 1, messages: 1 };
      // NSD 4.6 sends the two MX records of the top along, as if they were new too.
      const shape = kind === 'nsd' ? expect.stringMatching(/^2 1 2 \([13]\) 2$/) : '2 1 2 (1) 2';
      expect(seen).toEqual([{ ...changed, shape, sizeBytes: expect.any(Number) }]);
      expect(seen[0]?.sizeBytes).toBeLessThan(wholeBytes / 2);
      const { lastTransfer } = (await shown(kind)).primary;
      expect(lastTransfer).toMatchObject({ how: 'ixfr', fromSerial: 1, serial: 2 });
      // By the primary's own word too, where it has one.
      if (kind === 'bind')
        expect(primary.server.log()).toMatch(/bind\.example\/IN': IXFR started.*serial 1 -> 2/);
      if (kind === 'knot')
        expect(primary.server.log()).toMatch(/\[knot\.example\.\] IXFR, outgoing.*finished/);
    },
  );

  it('is shown with its last transfer, the last and the next question, in words and as metrics', async () => {
    const text = await trio.alice.well(['zone', 'show', originOf('bind')]);
    expect(text).toMatch(/primary 127\.0\.0\.1:\d+ {2}answered .* ago with serial 2, is asked again in /);
    expect(text).toMatch(/last transfer IXFR 1 -> 2, \d+ bytes in [\d.]+ ms, .* ago/);
    const { host, port } = trio.alice.http;
    const metrics = await (await fetch(`http://${host}:${port}/metrics`)).text();
    expect(metrics).toContain('copain_zone_primary_up{origin="bind.example"} 1');
    expect(metrics).toMatch(/copain_dns_received_total\{kind="ixfr"\} [1-9]/);
    expect(metrics).toMatch(/copain_dns_received_bytes_total\{kind="axfr"\} [1-9]/);
  });

  it('stays answered while its primary is off, which is said, and follows it when it is back', async () => {
    const knot = primaries.get('knot') as HiddenPrimary;
    const { server } = knot;
    await server.stop();
    const pushed = await trio.alice.peer(['zone', 'push', originOf('knot')]);
    expect([pushed.code, pushed.stderr]).toEqual([69, expect.stringContaining('connection refused')]);
    expect(pushed.stderr).toContain('serial 2 stays served');
    const doctor = await trio.alice.peer(['doctor', 'dns']);
    expect([doctor.code, doctor.stdout]).toEqual([1, expect.stringContaining('knot.example: the primary')]);
    expect(doctor.stdout).toMatch(/bind\.example: the primary \S+ answers/);
    const all = await trio.alice.peer(['doctor', '--json']);
    const { checks } = JSON.parse(all.stdout) as {
      checks: { about: string; ok: boolean | null; text: string }[];
    };
    expect([all.code, [...new Set(checks.map(({ about }) => about))]]).toEqual([
      1,
      ['net', 'dns', 'mail', 'disk'],
    ]);
    expect(checks).toContainEqual(
      expect.objectContaining({ about: 'dns', ok: false, text: expect.stringContaining('knot.example') }),
    );
    await answeredEverywhere('knot', 2, 5000);
    expect((await shown('knot')).primary.failing?.text).toContain('connection refused');
    server.start();
    await eventually('knot answers again', async () => {
      return (await authoritativeSerial(server.address, originOf('knot'))) === 2;
    });
    await knot.change('again', '192.0.2.78');
    await answeredEverywhere('knot', 3);
    expect((await shown('knot')).primary.failing).toBeNull();
  });

  it('goes on with what changed after this box was off', async () => {
    const { alice } = trio;
    await alice.stop();
    await (primaries.get('bind') as HiddenPrimary).change('meanwhile', '192.0.2.79');
    await alice.up();
    await answeredEverywhere('bind', 3);
    expect((await shown('bind')).primary.lastTransfer).toMatchObject({
      how: 'ixfr',
      fromSerial: 2,
      serial: 3,
    });
  });

  it('is not taken with a wrong key, and what is wrong is said; with the right one it is, without a restart', async () => {
    const { alice } = trio;
    const right = alice.read('home.key');
    alice.write(
      'home.key',
      right.replace(/secret "[^"]+"/, `secret "${Buffer.alloc(32, 1).toString('base64')}"`),
    );
    const wrong = await alice.peer(['zone', 'push', originOf('bind')]);
    expect([wrong.code, wrong.stderr]).toEqual([
      69,
      expect.stringMatching(/another secret.*BADSIG|secret the same/),
    ]);
    alice.write('home.key', right);
    await alice.well(['zone', 'push', originOf('bind')]);
    expect((await shown('bind')).primary.failing).toBeNull();
  });

  it('goes on from where it was when its primary moved, after one line and a reload', async () => {
    const { alice } = trio;
    const { server } = primaries.get('bind') as HiddenPrimary;
    const moved = await startHiddenPrimary({
      kind: 'knot',
      port: await freePort(),
      origin: originOf('bind'),
      zone: zoneText({ serial: 9, ns1: '192.0.2.1', ns2: '192.0.2.2', more: filler }),
      key: { name: 'home', secret },
      box: alice.dns,
    });
    scene.use(moved.server);
    await eventually('the new primary answers', async () => {
      return (await authoritativeSerial(moved.server.address, originOf('bind'))) === 9;
    });
    await server.stop();
    const [from, to] = [server, moved.server].map(({ address }) => `127.0.0.1:${address.port}`) as [
      string,
      string,
    ];
    alice.write('peer.toml', alice.read('peer.toml').replace(from, to));
    await alice.well(['reload']);
    await answeredEverywhere('bind', 9);
    await moved.change('here', '192.0.2.80');
    await answeredEverywhere('bind', 10);
  });

  it('is asked for when somebody on this machine says that it changed, and one that is not here never is', async () => {
    const { alice } = trio;
    const before = (await shown('nsd')).primary.checkedAt;
    // From an address of this machine it is believed; about a zone that is not here it never is.
    const ran = await runWell([
      'dig',
      '-r',
      `@${alice.dns.host}`,
      '-p',
      String(alice.dns.port),
      '+opcode=NOTIFY',
      '+norec',
      'stranger.example',
      'SOA',
    ]);
    expect(ran).toContain('status: NOTAUTH');
    const near = await runWell([
      'dig',
      '-r',
      `@${alice.dns.host}`,
      '-p',
      String(alice.dns.port),
      '+opcode=NOTIFY',
      '+norec',
      originOf('nsd'),
      'SOA',
    ]);
    expect(near).toMatch(/opcode: NOTIFY, status: NOERROR/);
    await eventually('it was asked', async () => (await shown('nsd')).primary.checkedAt !== before);
  });
});
