import { manualClock } from '@copain/core/testing';
import { memoryTable } from '@copain/store';
import { afterAll, expect, it } from 'vitest';
import { ownRecords } from './own-records.ts';
import { openRecordStore } from './record-store.ts';
import { alone, testPeople } from './testing.ts';

const { person, remove } = testPeople();
afterAll(remove);

it('what is held of hundreds of zones that come at once is said a few times, and at last in full', async () => {
  const alice = await person('alice');
  const records = await openRecordStore({
    table: memoryTable(),
    clock: manualClock(1_000_000),
    key: alice.box,
    ownerId: alice.ownerId,
    onChange: () => {},
    events: { refused: () => {}, damaged: () => {} },
  });
  const own = ownRecords(alice, records, alone);
  await own.found('alice', 5);
  const zones = Array.from({ length: 400 }, (_, n) => ({
    owner: alice.ownerId,
    origin: `z${n}.example`,
    epoch: 0,
    sequence: 1,
    serial: 1,
  }));
  await Promise.all(zones.map(async (_, n) => await own.holds(zones.slice(0, n + 1))));
  const known = records.knowledge().records.get(`holds/${alice.box.peer}`);
  const said = known?.kind === 'holds' ? known.signed.record : undefined;
  expect(said?.zones).toHaveLength(400);
  expect(said?.sequence).toBeLessThan(10);
  // The same again is no news.
  await own.holds(zones);
  expect(records.knowledge().records.get(`holds/${alice.box.peer}`)).toBe(known);
});
