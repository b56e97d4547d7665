import { manualClock } from '@copain/core/testing';
import { memoryTable } from '@copain/store';
import { expect, it } from 'vitest';
import { type EventLog, openEventLog } from './event-log.ts';

const clock = manualClock(1000);
const open = async (rows: Map<string, Uint8Array>): Promise<EventLog> =>
  await openEventLog({
    table: memoryTable(rows),
    clock,
    onAdd: () => {},
    failed: (error) => {
      throw error;
    },
  });

it('what happened is still known after a restart, in its order', async () => {
  const rows = new Map<string, Uint8Array>();
  const log = await open(rows);
  for (let i = 0; i < 12; i++) {
    clock.advance(1);
    log.add('friend.up', `number ${i}`);
  }
  await log[Symbol.asyncDispose]();
  const again = await open(rows);
  again.add('friend.down', 'number 12');
  expect(again.list().map((event) => event.text)).toEqual(
    Array.from({ length: 13 }, (_, i) => `number ${i}`),
  );
  expect(again.list(clock.nowMs()).map((event) => event.kind)).toEqual(['friend.up', 'friend.down']);
});

it('keeps the newest five hundred, in memory and on disk', async () => {
  const rows = new Map<string, Uint8Array>();
  const log = await open(rows);
  for (let i = 0; i < 620; i++) log.add('mail.held', `number ${i}`);
  await log[Symbol.asyncDispose]();
  expect(rows.size).toBe(500);
  expect(log.list()[0]?.text).toBe('number 120');
  expect((await open(rows)).list()[0]?.text).toBe('number 120');
});

it('tells whoever follows, until he has enough', async () => {
  const log = await open(new Map());
  const heard: string[] = [];
  const stop = log.follow((event) => heard.push(event.text));
  log.add('a', 'one');
  stop();
  log.add('a', 'two');
  expect(heard).toEqual(['one']);
  await log[Symbol.asyncDispose]();
});
