import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  afterFault,
  calmAfterMs,
  type FaultHistory,
  faultText,
  maxFailedStarts,
  maxFaultWaitMs,
  whereOf,
} from './fault.ts';

/** How long each start waits, for faults at these instants. */
function waits(faults: readonly { atMs: number; whileStarting?: boolean }[]): (number | undefined)[] {
  let history: FaultHistory | undefined;
  return faults.map(({ atMs, whileStarting = false }) => {
    const next = afterFault(history, { atMs, where: 'mail', whileStarting });
    history = next.history;
    return next.againAfterMs;
  });
}

it('a box starts again at once after its first fault, then after 1, 2, 4 s and so on, at most a minute', () => {
  const everySecond = Array.from({ length: 10 }, (_, index) => ({ atMs: index * 1000 }));
  expect(waits(everySecond)).toEqual([0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

it('after a calm the next fault is the first again', () => {
  expect(waits([{ atMs: 0 }, { atMs: 1 }, { atMs: 1 + calmAfterMs }])).toEqual([0, 1000, 0]);
  expect(waits([{ atMs: 0 }, { atMs: 1 }, { atMs: calmAfterMs }])).toEqual([0, 1000, 2000]);
});

it('faults of a running box never end the process, whatever their number and pace', () => {
  const paces = fc.array(fc.nat({ max: 2 * calmAfterMs }), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(paces, (pausesMs) => {
      const faults = pausesMs.map((_, index) => ({
        atMs: pausesMs.slice(0, index + 1).reduce((sum, pauseMs) => sum + pauseMs, 0),
      }));
      for (const wait of waits(faults)) {
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(maxFaultWaitMs);
      }
    }),
  );
});

it('starts that fail one after the other end the process, and a start that succeeded between them does not count', () => {
  const failed = (atMs: number) => ({ atMs, whileStarting: true });
  const starts = Array.from({ length: maxFailedStarts }, (_, index) => failed(1000 + index));
  const ends = waits([{ atMs: 0 }, ...starts]);
  expect(ends.at(-1)).toBeUndefined();
  expect(ends.slice(0, -1)).not.toContain(undefined);
  expect(waits([...starts.slice(1), { atMs: 5000 }, ...starts.slice(1)])).not.toContain(undefined);
});

it('names the part whose code a fault came from', () => {
  const at = (...files: string[]): string =>
    `Error: x\n${files.map((file) => `    at f (${file}:1:2)`).join('\n')}`;
  const home = 'file:///opt/copain/packages';
  expect(whereOf(at('node:net:3', `${home}/mail/dist/io/mail.js`, `${home}/agent/dist/io/agent.js`))).toBe(
    'mail',
  );
  expect(
    whereOf(at(`${home}/trust/dist/roster.js`, `${home}/core/dist/bytes.js`, `${home}/dns/dist/zone.js`)),
  ).toBe('DNS');
  expect(whereOf(at(`${home}/agent/dist/io/agent.js`))).toBe('the agent itself');
  expect(whereOf('')).toBe('the agent itself');
});

it('tells of the fault and of those before it', () => {
  const { history } = afterFault(undefined, { atMs: 0, where: 'mail', whileStarting: false });
  expect(faultText(history)).toBe('A fault in mail stopped this box; it started again by itself.');
  expect(faultText({ ...history, inARow: 3 })).toBe(
    'A fault in mail stopped this box; it started again by itself (3 faults in a row).',
  );
});
