import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CopyWorld } from './testing-copy-world.ts';

const tags = ['00a1', '0b52', '1c07'];

/** What may happen next; most of it is that something under way goes on. */
const kinds = [
  ...Array.from({ length: 8 }, () => 'happen' as const),
  'submit',
  'submit',
  'look',
  'look',
  'look',
  'drain',
  'deliver',
  'note delivery',
  'kill',
  'break',
  'start',
  'kill alice',
  'start alice',
  'grant',
  'quota',
] as const;

function act(world: CopyWorld, { kind, n, m }: { kind: (typeof kinds)[number]; n: number; m: number }): void {
  const friend = world.friend(n);
  switch (kind) {
    case 'happen':
      world.happen(n);
      break;
    case 'submit':
      world.submit(tags[m % tags.length] ?? '', n);
      break;
    case 'look':
      world.look(n);
      break;
    case 'drain':
      world.drain(n);
      break;
    case 'deliver':
      world.noteDelivery();
      world.deliver();
      break;
    case 'note delivery':
      world.noteDelivery();
      break;
    case 'kill':
      world.kill(n);
      break;
    case 'break':
      world.breakOff(n);
      break;
    case 'start':
      world.start(n);
      break;
    case 'kill alice':
      world.killAlice();
      break;
    case 'start alice':
      world.startAlice();
      break;
    case 'grant':
      friend.isBackup = !friend.isBackup;
      break;
    case 'quota':
      friend.maxBytes = [1000, 15, 5][m % 3] ?? 1000;
      break;
  }
}

/** Everybody is there, nobody is killed any more, and all that is under way ends. */
function settle(world: CopyWorld): void {
  world.startAlice();
  for (let i = 0; i < world.friends.length; i++) world.start(i);
  for (let round = 0; round < 30; round++) {
    for (let i = 0; i < world.friends.length; i++) world.drain(i);
    while (world.happen(0));
    world.noteDelivery();
    world.deliver();
    world.noteDelivery();
  }
}

const actions = fc.array(fc.record({ kind: fc.constantFrom(...kinds), n: fc.nat(11), m: fc.nat(5) }), {
  minLength: 40,
  maxLength: 250,
});

it('whatever is killed whenever, all that was accepted is delivered, once but for the named window', () => {
  const seen = { accepted: 0, moved: 0, window: 0, doubled: 0 };
  fc.assert(
    fc.property(actions, (all) => {
      const world = new CopyWorld();
      for (const action of all) {
        act(world, action);
        world.check();
        expect(world.broken).toEqual([]);
      }
      seen.accepted += world.accepted.size;
      seen.moved += world.friends.reduce((sum, { notes }) => sum + notes.length, 0);
      seen.window += world.inTheWindow.length;
      seen.doubled += world.friends
        .flatMap(({ memory }) => [...(memory?.values() ?? [])])
        .filter(({ copyAt }) => copyAt).length;
      settle(world);
      expect(world.broken).toEqual([]);
      for (const tag of world.accepted) expect(world.mailbox).toContain(tag);
      for (const tag of tags) {
        const times = world.mailbox.filter((one) => one === tag).length;
        expect(times).toBeLessThanOrEqual(1 + world.inTheWindow.filter((one) => one === tag).length);
      }
      for (const { disk } of world.friends) expect([...disk.values()]).toEqual([]);
    }),
    { numRuns: 3000, seed: 5 },
  );
  // A simulation in which nothing happens proves nothing.
  for (const [what, count] of Object.entries(seen))
    expect(count, what).toBeGreaterThan(what === 'window' ? 20 : 100);
}, 60_000);
