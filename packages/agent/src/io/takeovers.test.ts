import { manualClock } from '@copain/core/testing';
import { memoryTable } from '@copain/store';
import type { ServiceEntry } from '@copain/trust';
import { expect, it, vi } from 'vitest';
import type { Knowledge, KnownRecord } from '../known-records.ts';
import { endedServicesMax } from '../known-services.ts';
import { openTakeovers } from './takeovers.ts';

const entry = (name: string, number: number): ServiceEntry => ({
  name,
  zone: `${name}.example`,
  record: `www.${name}.example`,
  standby: 'bob',
  check: `http://www.${name}.example/`,
  ttlS: 60,
  sets: [],
  afterMs: 180_000,
  maxMs: 86_400_000,
  holdMs: 600_000,
  number,
  pin: 'obey',
  drill: undefined,
});

/** What a box knows of the services of one friend. */
function signed(services: ServiceEntry[]): Knowledge {
  const record = { sequence: 1, services, ended: [] };
  const known = {
    kind: 'services',
    signed: { signer: 'box', hash: new Uint8Array(), record },
  } as KnownRecord;
  return {
    records: new Map([['services/box', known]]),
    roster: { ownerOf: new Map([['box', 'alice']]) },
  } as unknown as Knowledge;
}

async function opened(table = memoryTable()) {
  let knowledge = signed([]);
  const clock = manualClock(1_000_000);
  const changed = vi.fn();
  const options = { table, clock, records: { knowledge: () => knowledge }, changed, moved: () => {} };
  const takeovers = await openTakeovers({ ...options, failed: () => {} });
  return {
    takeovers,
    changed,
    say: async (...services: ServiceEntry[]) => {
      clock.advance(1000);
      knowledge = signed(services);
      await takeovers.settled();
    },
    steps: (zone: string) => takeovers.overlay('alice', zone)?.steps,
  };
}

it('what is answered is on disk before, and stays when its record is gone, over a restart too', async () => {
  const table = memoryTable();
  let isFull = false;
  const write: typeof table.write = async (rows) => {
    if (isFull) throw new Error('ENOSPC');
    await table.write(rows);
  };
  const first = await opened({ ...table, write });
  await first.say(entry('web', 2));
  expect(first.steps('web.example')).toBe(2);
  isFull = true;
  await expect(first.say(entry('web', 3))).rejects.toThrow('ENOSPC');
  expect(first.steps('web.example')).toBe(2);
  isFull = false;
  await first.say(entry('web', 3));
  expect(first.steps('web.example')).toBe(3);
  const again = await opened(table);
  expect(again.steps('web.example')).toBe(3);
  await again.say(entry('web', 1));
  expect(again.steps('web.example')).toBe(3);
});

it('a friend who signs ever new names is remembered for some of them, the newest, and what runs is never forgotten', async () => {
  const table = memoryTable();
  const box = await opened(table);
  const names = Array.from({ length: endedServicesMax + 40 }, (_, index) => `s${index}`);
  for (const name of names) await box.say(entry('web', 2), entry(name, 1));
  await box.say(entry('web', 2));
  const rows: string[] = [];
  for (const prefix of ['takeover/', 'takeover-steps/'])
    for await (const [key] of table.entries(prefix)) rows.push(key);
  expect(rows).toHaveLength(2 * (endedServicesMax + 1));
  expect(rows).toContain('takeover/box/web');
  expect(rows).toContain(`takeover/box/${names.at(-1)}`);
  expect(rows).not.toContain('takeover/box/s0');
  expect(box.steps('web.example')).toBe(2);
  expect(box.steps('s0.example')).toBeUndefined();
});
