import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { eventually } from './lib/eventually.ts';
import { openScene, threeFriends } from './lib/scene.ts';

const scene = openScene();

describe('a box whose owner said that it may be off', () => {
  let alice: Box;
  let bob: Box;
  let carol: Box;

  const stateAt = async (box: Box): Promise<string | undefined> =>
    (await box.status()).friends.find(({ name }) => name === 'alice')?.state;
  const textsAt = async (box: Box): Promise<string> => JSON.stringify((await box.status()).events);

  beforeAll(async () => {
    ({ alice, bob, carol } = await threeFriends(scene));
  });

  it('is away and not down once it is off, also for a friend who was off when it was said', async () => {
    await carol.stop();
    const said = JSON.parse(
      await alice.well(['away', '--until', '7d', '--note', 'in Brittany', '--json']),
    ) as { schema: string; away: { until: string; note: string } };
    expect(said).toMatchObject({ schema: 'peer.away/1', away: { note: 'in Brittany' } });
    await eventually('bob knows it', async () =>
      (await bob.well(['friends', 'show', 'alice'])).includes('in Brittany'),
    );
    expect(await stateAt(bob)).toBe('up');
    await alice.stop();
    await eventually('bob shows her as away', async () => (await stateAt(bob)) === 'away');
    await carol.up();
    await eventually('carol shows her as away', async () => (await stateAt(carol)) === 'away');
    expect(await textsAt(bob)).not.toContain('alice is silent');
    expect((await bob.status()).events.find(({ kind }) => kind === 'friend.away')?.text).toMatch(
      /^alice is away until \d{4}-\d\d-\d\d: in Brittany\.$/,
    );
    expect(JSON.stringify((await bob.status()).verdict)).not.toContain('alice is down');
  });

  it('is up at once when it is heard, asks its owner whether he is back, and is missed again once he said so', async () => {
    await alice.up();
    await eventually('bob hears her', async () => (await stateAt(bob)) === 'up');
    expect(JSON.stringify((await alice.status()).verdict.todo)).toContain('peer back');
    await alice.well(['back']);
    await eventually(
      'bob knows it',
      async () => !(await bob.well(['friends', 'show', 'alice'])).includes('in Brittany'),
    );
    expect(JSON.stringify((await alice.status()).verdict.todo)).not.toContain('peer back');
    await alice.stop();
    await eventually('bob misses her', async () => (await stateAt(bob)) === 'suspect');
  });

  it('is told where the absence makes no sense', async () => {
    const wrong = await bob.peer(['away', '--until', '2020-01-01']);
    expect([wrong.code, wrong.stderr]).toEqual([65, expect.stringContaining('within the next year')]);
    expect((await bob.peer(['away', '--until', 'soon'])).code).toBe(64);
  });
});
