import type { Connection } from '@libp2p/interface';
import { expect, it } from 'vitest';
import { startSendWindowBytes } from '../limits.ts';
import type { TrafficClass } from '../line-scheduler.ts';
import { paceOf } from './connection-pace.ts';
import { startLine } from './line.ts';

const line = startLine({ nowMs: () => Date.now() });

/** A connection whose pings are answered when the test says so. */
function pinged() {
  const answers: (() => void)[] = [];
  const muxer = { ping: () => new Promise<number>((resolve) => answers.push(() => resolve(1))) };
  const connection = Object.assign(new EventTarget(), { muxer, status: 'open' });
  const pace = paceOf(connection as unknown as Connection, line);
  const given: TrafficClass[] = [];
  const never = new AbortController().signal;
  return {
    answers,
    given,
    /** Asks for room and writes it; resolves when it had its turn. */
    write: async (trafficClass: TrafficClass, sizeBytes = 4096, signal = never): Promise<number> => {
      const grant = await pace.room(trafficClass, sizeBytes, signal);
      given.push(trafficClass);
      grant.settle(true);
      return grant.sizeBytes;
    },
    pace,
  };
}

const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

it('lets the first window go, then waits for a ping; whoever is more urgent goes first', async () => {
  const { answers, given, write } = pinged();
  for (let sent = 0; sent < startSendWindowBytes; ) sent += await write('held-mail');
  const held = write('held-mail');
  const zone = write('dns');
  await settled();
  expect(given.filter((one) => one === 'dns')).toEqual([]);
  expect(answers).toHaveLength(1);
  given.length = 0;
  for (; given.length < 2; await settled()) answers.shift()?.();
  await Promise.all([held, zone]);
  expect(given).toEqual(['dns', 'held-mail']);
});

it('what is relayed and held mail take turns here too, in the order in which they came', async () => {
  const { answers, given, write } = pinged();
  for (let sent = 0; sent < startSendWindowBytes; ) sent += await write('held-mail');
  given.length = 0;
  const asked = ['held-mail', 'relayed', 'held-mail', 'relayed'] as const;
  const writing = Promise.all(asked.map((trafficClass) => write(trafficClass)));
  for (; given.length < asked.length; await settled()) answers.shift()?.();
  await writing;
  expect(given).toEqual(asked);
});

it('beats and bulk never wait here, and what is small needs no ping', async () => {
  const { answers, write } = pinged();
  for (let i = 0; i < 100; i++) await write('control', 60);
  for (let i = 0; i < 20; i++) await write('bulk', 30_000);
  await write('dns', 500);
  expect(answers).toEqual([]);
});

it('whoever gives up keeps nobody waiting, before his turn or after it', async () => {
  const { answers, write, pace } = pinged();
  const grant = await pace.room('held-mail', startSendWindowBytes / 4, new AbortController().signal);
  grant.settle(false);
  for (let sent = 0; sent < startSendWindowBytes; ) sent += await write('held-mail');
  const impatient = new AbortController();
  const gone = write('held-mail', 4096, impatient.signal);
  const next = write('held-mail');
  impatient.abort(new Error('enough'));
  await expect(gone).rejects.toThrow('enough');
  answers.shift()?.();
  await expect(next).resolves.toBeGreaterThan(0);
});

it('where nobody answers pings nobody waits', async () => {
  const pace = paceOf({} as Connection, line);
  const never = new AbortController().signal;
  for (let i = 0; i < 50; i++) (await pace.room('held-mail', 16_384, never)).settle(true);
});
