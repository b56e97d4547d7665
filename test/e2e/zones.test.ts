import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial, dig } from './lib/dig.ts';
import { eventually, steadily } from './lib/eventually.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, openScene, seesUp, type Trio, threeFriends } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['dig'] }, 'zones') !== undefined;
const origin = 'alice.example';
const file = 'alice.example.zone';
let trio: Trio;

function write(serial: number, more: { www?: string; more?: string[] } = {}): string {
  return trio.alice.write(file, zoneText({ serial, ns1: trio.bob.host, ns2: trio.carol.host, ...more }));
}

/** Waits until these boxes answer with this serial and AA, over UDP and TCP. */
async function answered(boxes: readonly Box[], serial: number, withinMs: number): Promise<void> {
  const questions = boxes.flatMap((box) => [false, true].map((tcp) => ({ box, tcp })));
  await Promise.all(
    questions.map(({ box, tcp }) =>
      eventually(
        `${box.name} answers ${serial} over ${tcp ? 'TCP' : 'UDP'}`,
        async () => (await authoritativeSerial(box.dns, origin, { tcp })) === serial,
        withinMs,
      ),
    ),
  );
}

describe.skipIf(skip)('a zone of alice', () => {
  beforeAll(async () => {
    trio = await threeFriends(scene);
  });

  it('is answered by both friends with authority a second after it was added', async () => {
    await trio.alice.well(['zone', 'add', origin, '--file', write(2026112201)]);
    await answered([trio.bob, trio.carol], 2026112201, 1000);
    const www = await dig(trio.bob.dns, `www.${origin}`, 'A');
    expect(www).toMatchObject({ status: 'NOERROR', answers: [`www.${origin}. 300 IN A 192.0.2.80`] });
    expect(www.flags).toContain('aa');
    expect(await dig(trio.bob.dns, `nothing.${origin}`, 'A')).toMatchObject({ status: 'NXDOMAIN' });
    expect(await dig(trio.bob.dns, 'elsewhere.example', 'SOA')).toMatchObject({ status: 'REFUSED' });
  });

  it('is shown with its serial at everybody', async () => {
    const [zone] = (await trio.alice.status()).zones;
    expect(zone).toMatchObject({ origin, owner: 'alice', role: 'primary', serial: 2026112201 });
    expect((await trio.bob.status()).zones).toMatchObject([
      { origin, owner: 'alice', role: 'secondary', serial: 2026112201 },
    ]);
  });

  it('reaches both within a second when the file is saved with a higher serial', async () => {
    write(2026112202, { www: '192.0.2.81' });
    await answered([trio.bob, trio.carol], 2026112202, 1000);
    expect((await dig(trio.carol.dns, `www.${origin}`, 'A')).answers).toEqual([
      `www.${origin}. 300 IN A 192.0.2.81`,
    ]);
  });

  it('keeps its good version when the file has a mistake, and shows file and line', async () => {
    const bad = write(2026112203, { more: ['good IN A 192.0.2.7', 'bad IN A 192.0.2.777'] });
    const line = readFileSync(bad, 'utf8').split('\n').indexOf('bad IN A 192.0.2.777') + 1;
    const place = `${file}:${line}`;
    const checked = await trio.alice.peer(['zone', 'check', bad, origin]);
    expect(checked.code).not.toBe(0);
    expect(checked.stdout + checked.stderr).toContain(place);
    await eventually('the mistake is shown', async () => (await trio.alice.well(['status'])).includes(place));
    await answered([trio.bob, trio.carol], 2026112202, 1000);
    expect(await dig(trio.bob.dns, `good.${origin}`, 'A')).toMatchObject({ status: 'NXDOMAIN' });
    write(2026112204);
    await answered([trio.bob, trio.carol], 2026112204, 2000);
    await eventually('the mistake is gone', async () => !(await trio.alice.well(['status'])).includes(place));
  });

  it('is answered from disk by a friend who restarts while everybody else is off', async () => {
    await trio.alice.stop();
    await trio.carol.stop();
    await trio.bob.stop();
    await trio.bob.up();
    await answered([trio.bob], 2026112204, 1000);
  });

  it('is refused when its copy on disk was altered, and healed when another friend is there', async () => {
    await trio.bob.stop();
    expect(forgeZones(trio.bob)).toBeGreaterThan(0);
    await trio.bob.up();
    expect(await authoritativeSerial(trio.bob.dns, origin)).toBeUndefined();
    await trio.carol.up();
    await answered([trio.bob], 2026112204, 20_000);
    await trio.alice.up();
    await allTogether([trio.alice, trio.bob, trio.carol]);
  });

  it('is caught up by a friend who was off during a change, from alice', async () => {
    await trio.bob.stop();
    write(2026112205);
    await answered([trio.carol], 2026112205, 2000);
    await trio.bob.up();
    await answered([trio.bob], 2026112205, 5000);
  });

  it('is caught up from carol when alice is off', async () => {
    await trio.bob.stop();
    write(2026112206);
    await answered([trio.carol], 2026112206, 2000);
    await trio.alice.stop();
    await trio.bob.up();
    await answered([trio.bob], 2026112206, 5000);
    await trio.alice.up();
  });

  it('is refused from a friend who altered it, and taken from alice when she is back', async () => {
    await allTogether([trio.alice, trio.bob, trio.carol]);
    await trio.bob.stop();
    // More than half of it is new, so that it travels whole and not as what changed.
    write(2026112207, { more: Array.from({ length: 40 }, (_, index) => `new${index} IN A 192.0.2.7`) });
    await answered([trio.carol], 2026112207, 2000);
    await trio.alice.stop();
    expect(forgeZones(trio.carol)).toBeGreaterThan(0);
    await trio.bob.up();
    await eventually('bob has carol to ask', () => seesUp(trio.bob, ['carol']));
    await steadily(async () => {
      expect(await authoritativeSerial(trio.bob.dns, origin)).toBe(2026112206);
    }, 2000);
    await trio.alice.up();
    await answered([trio.bob], 2026112207, 20_000);
    expect((await dig(trio.bob.dns, `www.${origin}`, 'A')).answers).toEqual([
      `www.${origin}. 300 IN A 192.0.2.80`,
    ]);
  });

  it('survives kill -9 of everybody', async () => {
    await allTogether([trio.alice, trio.bob, trio.carol]);
    // Names are gone and it ends otherwise: it may be half written, and has to lie still for 2 s first.
    write(2026112208);
    await answered([trio.bob, trio.carol], 2026112208, 5000);
    for (const box of [trio.alice, trio.bob, trio.carol]) await box.kill();
    await trio.bob.up();
    await answered([trio.bob], 2026112208, 1000);
    await trio.carol.up();
    await trio.alice.up();
    await allTogether([trio.alice, trio.bob, trio.carol]);
  });
});

/**
 * Puts another address for www into every zone content that a box keeps: as whole and as long as before, so that nothing
 * but the signed hash tells. How many there were.
 */
function forgeZones(box: Box): number {
  const folder = join(box.home, 'state', 'zones');
  const names = readdirSync(folder);
  for (const name of names) {
    const path = join(folder, name);
    const body = inflateRawSync(readFileSync(path));
    const at = body.indexOf(Buffer.from([192, 0, 2, 80]));
    expect(at).toBeGreaterThan(0);
    body.writeUInt8(66, at + 3);
    writeFileSync(path, deflateRawSync(body));
  }
  return names.length;
}
