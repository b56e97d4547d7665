import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial } from './lib/dig.ts';
import { eventually } from './lib/eventually.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, join, openScene, type Trio, threeFriends } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['dig'] }, 'many zones') !== undefined;
/** More than a list of zones in a record has room for. */
const count = 260;
const origins = Array.from({ length: count }, (_, n) => `customer-${n}.example`);
let trio: Trio;
let friends: Box[];

const write = (origin: string, serial: number): string =>
  trio.alice.write(`${origin}.zone`, zoneText({ serial, ns1: trio.bob.host, ns2: trio.carol.host }));

describe.skipIf(skip)('one owner with hundreds of zones and three friends', () => {
  beforeAll(async () => {
    trio = await threeFriends(scene);
    const dave = scene.box({ name: 'dave', host: trio.address(4) });
    await dave.init();
    await dave.up();
    await join(dave, trio.alice);
    friends = [trio.bob, trio.carol, dave];
    await allTogether([trio.alice, ...friends]);
  }, 120_000);

  it('each friend answers each of them, and the owner is told so', async () => {
    const tables = origins.map((origin) => {
      write(origin, 1);
      const to = 'secondaries = ["bob", "carol", "dave"]';
      return `[[zone]]\norigin = "${origin}"\nfile = "${origin}.zone"\n${to}\n`;
    });
    trio.alice.write('peer.toml', `${trio.alice.read('peer.toml')}\n${tables.join('\n')}`);
    await trio.alice.well(['config', 'check']);
    await trio.alice.well(['reload'], { limitMs: 60_000 });
    for (const friend of friends) {
      const missing = async (): Promise<number> => {
        const { zones } = await friend.status();
        return count - zones.filter(({ owner, serial }) => owner === 'alice' && serial === 1).length;
      };
      await eventually(`${friend.name} has them all`, async () => (await missing()) === 0, 240_000);
    }
    await eventually(
      'alice sees three copies of each',
      async () => {
        const { zones } = await trio.alice.status();
        const copies = zones.filter((zone) => zone.friends.filter(({ serial }) => serial === 1).length === 3);
        return copies.length === count;
      },
      60_000,
    );
    for (const origin of [origins[0], origins[255], origins[256], origins[count - 1]] as string[]) {
      for (const friend of friends) expect(await authoritativeSerial(friend.dns, origin, {})).toBe(1);
    }
  }, 400_000);

  it('a change to the last of them is everywhere, and known to be', async () => {
    const last = origins.at(-1) ?? '';
    write(last, 2);
    for (const friend of friends)
      await eventually(
        `${friend.name} answers 2`,
        async () => (await authoritativeSerial(friend.dns, last, {})) === 2,
        10_000,
      );
    await eventually(
      'alice sees the new serial at all three',
      async () => {
        const zone = (await trio.alice.status()).zones.find(({ origin }) => origin === last);
        return zone?.friends.every(({ serial }) => serial === 2) === true;
      },
      10_000,
    );
  });
});
