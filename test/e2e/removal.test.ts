import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { authoritativeSerial } from './lib/dig.ts';
import { eventually, steadily } from './lib/eventually.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, openScene, type Trio, threeFriends } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['dig'] }, 'removing a friend') !== undefined;

describe.skipIf(skip)('a friend who is removed', () => {
  let trio: Trio;
  const names = async (box: Trio['alice']): Promise<string[]> =>
    (await box.status()).friends.map((friend) => friend.name).sort();

  beforeAll(async () => {
    trio = await threeFriends(scene);
    const { alice, bob, carol } = trio;
    const zone = alice.write('alice.zone', zoneText({ serial: 1, ns1: bob.host, ns2: carol.host }));
    await alice.well(['zone', 'add', 'alice.example', '--file', zone]);
    for (const box of [bob, carol]) {
      await eventually(
        'both answer',
        async () => (await authoritativeSerial(box.dns, 'alice.example')) === 1,
      );
    }
  });

  it('by one who did not admit him: for that box at once, and for nobody else', async () => {
    const { alice, bob, carol } = trio;
    const removed = await carol.json<{ forEverybody: boolean }>(['friends', 'remove', 'bob', '--yes']);
    expect(removed.forEverybody).toBe(false);
    await eventually('carol has no bob any more', async () => !(await names(carol)).includes('bob'));
    await steadily(async () => {
      expect(await names(alice)).toEqual(['bob', 'carol']);
      expect(await names(bob)).toEqual(['alice', 'carol']);
    }, 1500);
    // He is told what happened to him, and by whom.
    await eventually('bob reads it', async () =>
      (await bob.well(['status'])).includes('carol removed you from the circle for himself'),
    );
  });

  it('two who remove each other: they are apart, each by his own word, and the circle keeps both', async () => {
    const { alice, bob, carol } = trio;
    const removed = await bob.json<{ forEverybody: boolean }>(['friends', 'remove', 'carol', '--yes']);
    expect(removed.forEverybody).toBe(false);
    await eventually('bob has only alice', async () => (await names(bob)).join() === 'alice');
    await steadily(async () => {
      expect(await names(alice)).toEqual(['bob', 'carol']);
      expect(await names(carol)).toEqual(['alice']);
    }, 1500);
    expect((await alice.status()).verdict.level).not.toBe('danger');
  });

  it('by who admitted him: he is out everywhere, gets nothing more, and what he served for others ends', async () => {
    const { alice, bob, carol } = trio;
    const refused = await alice.peer(['friends', 'remove', 'bob', '--no-input']);
    expect(refused.code).toBe(64);
    expect(await names(alice)).toEqual(['bob', 'carol']);

    await alice.well(['friends', 'remove', 'bob', '--yes']);
    await eventually('alice has only carol', async () => (await names(alice)).join() === 'carol');
    await eventually('carol has only alice', async () => (await names(carol)).join() === 'alice');
    expect((await alice.peer(['friends', 'remove', 'bob', '--yes'])).code).toBe(65);
    await eventually('bob reads that he is out, and what to do', async () => {
      const { verdict } = await bob.status();
      return verdict.level === 'danger' && verdict.todo[0]?.command === 'peer join';
    });
    expect(await bob.well(['status'])).toMatch(/You were removed from the circle by (alice|carol)/);
    expect(await bob.well(['events'])).toContain('You were removed from the circle by alice');

    alice.write('alice.zone', zoneText({ serial: 2, ns1: carol.host, ns2: carol.host }));
    await eventually(
      'carol has the next version',
      async () => (await authoritativeSerial(carol.dns, 'alice.example')) === 2,
    );
    expect(await authoritativeSerial(bob.dns, 'alice.example')).not.toBe(2);
  });

  it('stays out over restarts, and can invite nobody', async () => {
    const { alice, bob, carol } = trio;
    await alice.stop();
    await carol.stop();
    await alice.up();
    await carol.up();
    await allTogether([alice, carol]);
    expect(await names(alice)).toEqual(['carol']);
    expect(await names(carol)).toEqual(['alice']);
    const invite = await bob.peer(['invite', 'eve']);
    expect(invite.code).toBe(77);
    expect(invite.stderr).toContain('removed from its circle');
  });

  it('is named by no report, nor is anybody else, his domain or where it lies', async () => {
    const { alice, bob, carol } = trio;
    const ids = await Promise.all([alice, bob, carol].map(async (box) => (await box.status()).id));
    await carol.stop();
    for (const box of [alice, bob, carol]) {
      const file = join(box.home, 'report.json');
      await box.well(['report', '--out', file]);
      const text = readFileSync(file, 'utf8');
      for (const secret of ['alice', 'bob', 'carol', 'example', box.home, ...ids])
        expect([box.name, secret, text.toLowerCase().includes(secret.toLowerCase())]).toEqual([
          box.name,
          secret,
          false,
        ]);
      const report = JSON.parse(text);
      expect(report).toMatchObject({ schema: 'peer.report/1', config: { name: 'me' } });
      // Of one that does not run there is what can be told without it.
      if (box === carol) expect(report.status).toMatchObject({ exit: 69 });
      else
        expect(report.status).toMatchObject({
          name: 'me',
          events: expect.arrayContaining([expect.objectContaining({ kind: 'zone.updated' })]),
        });
      expect((await box.peer(['report', '--out', file])).code).toBe(73);
    }
    expect(JSON.parse(await alice.well(['report'])).schema).toBe('peer.report/1');
  });
});

describe.skipIf(skip)('a box that was off when it was removed', () => {
  let trio: Trio;
  /** What this box turned away at its gate so far. */
  const turnedAway = async (box: Trio['alice']): Promise<number> => {
    const metrics = await (await fetch(`http://${box.http.host}:${box.http.port}/metrics`)).text();
    return Number(/^copain_refused_total\{step="gate"\} (\d+)$/m.exec(metrics)?.[1]);
  };

  beforeAll(async () => {
    trio = await threeFriends(scene);
  });

  it('is told by whom and when as soon as it reaches a member, by his signature, and dials nobody any more', async () => {
    const { alice, bob, carol } = trio;
    await bob.stop();
    await alice.well(['friends', 'remove', 'bob', '--yes']);
    await eventually('carol has only alice', async () => (await carol.status()).friends.length === 1);
    const today = new Date().toISOString().slice(0, 10);
    await bob.up();
    await eventually('bob reads that he is out', async () => {
      const { verdict } = await bob.status();
      return verdict.level === 'danger' && verdict.text.includes(`removed from the circle by alice on 20`);
    });
    const status = await bob.well(['status']);
    expect(status).toContain('You were removed from the circle by alice on ');
    expect([status.includes(today), status.includes(new Date().toISOString().slice(0, 10))]).toContain(true);
    expect(await bob.well(['events'])).toContain('You were removed from the circle by alice on ');
    for (const command of [
      ['invite', 'eve'],
      ['friends', 'remove', 'carol', '--yes'],
    ]) {
      const refused = await bob.peer(command);
      expect([refused.code, refused.stderr]).toEqual([
        77,
        expect.stringContaining('was removed from its circle'),
      ]);
    }
    // A box that still dials would come back every 2 to 30 s, and be turned away each time.
    const before = [await turnedAway(alice), await turnedAway(carol)];
    await steadily(async () => {
      expect([await turnedAway(alice), await turnedAway(carol)]).toEqual(before);
    }, 8000);
    await bob.stop();
    await bob.up();
    expect((await bob.status()).verdict.text).toContain('removed from the circle by alice on ');
    await steadily(async () => {
      expect([await turnedAway(alice), await turnedAway(carol)]).toEqual(before);
    }, 4000);
  });
});
