import { chmodSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
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
const programs = ['dig', 'nsupdate', ...kinds.flatMap((kind) => dnsServerPrograms[kind])];
const skip = whyNot({ programs, root: true }, 'transfer-in') !== undefined;
/** These are known to answer IXFR with what changed. */
const incremental: readonly DnsServerKind[] = ['bind', 'knot'];

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
    'follows a change on %s as soon as it says so, by what changed where it can',
    async (kind) => {
      const primary = primaries.get(kind) as HiddenPrimary;
      await primary.change('new', '192.0.2.77');
      await answeredEverywhere(kind, 2, 10_000);
      for (const box of [trio.alice, trio.bob, trio.carol]) {
        const { answers } = await dig(box.dns, `new.${originOf(kind)}`, 'A');
        expect(answers).toEqual([`new.${originOf(kind)}. 300 IN A 192.0.2.77`]);
      }
      if (!incremental.includes(kind)) return;
      const { lastTransfer } = (await shown(kind)).primary;
      expect(lastTransfer).toMatchObject({ how: 'ixfr', fromSerial: 1, serial: 2 });
      // By the primary's own word too.
      const said = kind === 'bind' ? /IXFR ended|IXFR.*version|: IXFR/ : /IXFR, outgoing.*finished/;
      expect(primary.server.log()).toMatch(said);
    },
  );
});
