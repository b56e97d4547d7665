import { memorySegments, memoryTable } from '@copain/store';
import { expect, it } from 'vitest';
import type { MailDomain } from '../mail-domain.ts';
import { encodeSpoolRecord, type RecordHeader } from '../spool-record.ts';
import type { Deliveries } from './deliver.ts';
import { HeldStore } from './held-store.ts';
import type { Inbox } from './inbox.ts';
import { listMessages } from './mail-facts.ts';
import { aliceId, recordEvents } from './testing.ts';

const domain: MailDomain = {
  domain: 'alice.test',
  ownerId: aliceId,
  ownerName: 'alice',
  role: 'backup',
  sealTo: [],
  maxBytes: 1_000_000_000,
};

/** A record with this many recipients; nobody opens it. */
function recordOf(number: number, recipients = 1): { header: RecordHeader; record: Uint8Array } {
  const tags = Array.from({ length: recipients }, (_, i) => {
    const tag = new Uint8Array(16).fill(i);
    new DataView(tag.buffer).setUint32(0, number);
    return tag;
  });
  const header: RecordHeader = {
    ownerId: aliceId,
    domain: 'alice.test',
    messageBytes: 1000 + number,
    receivedAtMs: 0,
    tags,
    keyIds: [],
    hash: new Uint8Array(32),
  };
  return { header, record: encodeSpoolRecord(header, new Uint8Array(2000).fill(number)) };
}

it('a message is held before its count is on disk, and let go only after it', async () => {
  const { events } = recordEvents();
  const segments = memorySegments();
  const table = memoryTable();
  const { promise: mayWrite, resolve: letWrite } = Promise.withResolvers<void>();
  const removed: string[] = [];
  const store = await HeldStore.open(
    {
      segments: {
        ...segments,
        remove: async (id) => {
          removed.push(id);
          await segments.remove(id);
        },
      },
      table: {
        ...table,
        write: async (changes) => {
          await mayWrite;
          await table.write(changes);
        },
      },
    },
    events,
  );
  const { header, record } = recordOf(1);
  const outcome = await store.add(record, header, domain);
  if (outcome.kind !== 'stored') throw new Error(outcome.kind);
  const acknowledged = store.step(outcome.message.id, { kind: 'acknowledged' }, 0);
  await new Promise((resolve) => setImmediate(resolve));
  expect(removed).toEqual([]);
  letWrite();
  await acknowledged;
  expect(removed).toEqual([outcome.message.id]);
  const again = await HeldStore.open({ segments, table }, events);
  expect([again.messages.size, again.tallies.get(aliceId)?.messages]).toEqual([0, 1]);
});

it('what is found at the start is what was held, to however many recipients, and is counted once', async () => {
  const { events, told } = recordEvents();
  const [segments, table] = [memorySegments(), memoryTable()];
  const first = await HeldStore.open({ segments, table }, events);
  for (const [number, recipients] of [1, 100, 2, 3].entries()) {
    const { header, record } = recordOf(number, recipients);
    expect(await first.add(record, header, domain)).toMatchObject({ kind: 'stored' });
  }
  await first.settled();
  // One more that the last run stored and did not count.
  await segments.append(recordOf(4, 2).record);
  for (let start = 0; start < 2; start++) {
    const again = await HeldStore.open({ segments, table }, events);
    for (const [id, message] of first.messages) expect(again.messages.get(id)).toEqual(message);
    expect(again.holdsAll(recordOf(4, 2).header.tags)).toBe(true);
    expect(again.tallies.get(aliceId)).toMatchObject({ messages: 5, bytes: 5010 });
    await again.settled();
  }
  expect(told.filter(({ kind }) => kind === 'trouble')).toEqual([]);
});

it('a list has no more of what is held for friends than is asked for, and has the newest', async () => {
  const { events } = recordEvents();
  const store = await HeldStore.open({ segments: memorySegments(), table: memoryTable() }, events);
  for (let number = 0; number < 5; number++) {
    const { header, record } = recordOf(number);
    await store.add(record, { ...header, receivedAtMs: number * 60_000 }, domain);
  }
  const inbox = { queue: new Map() } as unknown as Inbox;
  const listed = (heldMax?: number): number[] =>
    listMessages(store, inbox, {} as Deliveries, [domain], heldMax).map(
      ({ receivedAtMs }) => receivedAtMs / 60_000,
    );
  expect([listed(2), listed(0), listed(7), listed()]).toEqual([[3, 4], [], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]);
});
