import type { Trouble, Troubles } from '@copain/status';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alertLimits } from './alert-limits.ts';
import { alertMessage } from './alert-message.ts';
import { decodeAlertRow, encodeAlertRow } from './alert-row.ts';
import { type AlertInput, type AlertState, startAlerts, stepAlerts } from './alert-step.ts';
import { overAfterMs } from './alert-troubles.ts';

const startMs = Date.UTC(2026, 10, 22);
const minuteMs = 60_000;

const trouble = (name: string, more: Partial<Trouble> = {}): Trouble => ({
  key: `friend/${name}`,
  kind: 'friend',
  about: [name],
  weight: 'attention',
  text: `${name} is down.`,
  command: `peer friends show ${name}`,
  stage: 1,
  afterMs: 20_000,
  over: `${name} is up again.`,
  isNews: false,
  ...more,
});

/** Alerts with a clock; every message is kept, and gets through unless `broken` names its way. */
function bench(ways: readonly string[] = ['phone'], givenMs = startMs) {
  let state: AlertState = startAlerts();
  let nowMs = givenMs;
  const broken = new Set<string>();
  const messages: { way: string; atMs: number; told: string[]; text: string }[] = [];
  const order: string[] = [];
  const take = (input: AlertInput): void => {
    const [next, effects] = stepAlerts(state, input, nowMs);
    state = next;
    for (const effect of effects) {
      order.push(effect.kind);
      if (effect.kind !== 'send') continue;
      const { channel } = effect;
      if (broken.has(channel)) {
        take({ kind: 'failed', channel, why: 'no answer' });
        continue;
      }
      const told = effect.items.map(({ kept, state: what }) => `${kept.trouble.about[0]} ${what}`);
      const { text } = alertMessage(effect.items, { name: 'alice', nowMs });
      messages.push({ way: channel, atMs: nowMs - givenMs, told, text });
      take({ kind: 'sent', channel });
    }
  };
  take({ kind: 'channels', channels: ways });
  const look = (troubles: readonly Trouble[], more: Partial<Troubles> = {}): void =>
    take({ kind: 'look', found: { troubles: [...troubles], unsure: [], blind: false, ...more } });
  return {
    take,
    look,
    broken,
    messages,
    order,
    told: () => messages.map(({ told }) => told),
    state: () => state,
    restart: () => {
      const again = decodeAlertRow(encodeAlertRow(state));
      if (again === undefined) throw new Error('the row cannot be read');
      state = again;
      take({ kind: 'channels', channels: ways });
    },
    /** Sets the clock, by so much. */
    jump: (byMs: number) => {
      nowMs += byMs;
    },
    /** Looks every 5 s for so long, at the same troubles. */
    stands: (forMs: number, troubles: readonly Trouble[], more: Partial<Troubles> = {}) => {
      for (const endMs = nowMs + forMs; nowMs < endMs; ) {
        nowMs += 5000;
        look(troubles, more);
      }
    },
  };
}

describe('a trouble', () => {
  it('is said once it stood for its time, and its end once it was gone for five minutes', () => {
    const alerts = bench();
    alerts.stands(20_000, [trouble('bob')]);
    expect(alerts.messages).toEqual([]);
    alerts.stands(20 * minuteMs, [trouble('bob')]);
    expect(alerts.told()).toEqual([['bob on']]);
    expect(alerts.messages[0]?.atMs).toBeLessThanOrEqual(30_000);
    alerts.stands(4 * minuteMs, []);
    expect(alerts.messages).toHaveLength(1);
    alerts.stands(2 * minuteMs, []);
    expect(alerts.told()).toEqual([['bob on'], ['bob over']]);
    expect(alerts.messages[1]?.text).toContain(
      'bob is up again. (It was from 2026-11-22 00:00 UTC, for 20 min.)',
    );
    alerts.stands(3 * 86_400_000, []);
    expect(alerts.messages).toHaveLength(2);
    expect(alerts.state().kept.size).toBe(0);
  });

  it('says since when it is so, where it knows that', () => {
    const alerts = bench();
    alerts.stands(minuteMs, [trouble('bob', { sinceMs: startMs - 40 * minuteMs })]);
    expect(alerts.messages[0]?.text).toContain('since 2026-11-21 23:20 UTC');
    alerts.stands(10 * minuteMs, []);
    expect(alerts.messages[1]?.text).toContain('(It was from 2026-11-21 23:20 UTC, for 41 min.)');
    const later = bench();
    later.stands(minuteMs, [trouble('bob', { sinceMs: startMs + 86_400_000 })]);
    expect(later.messages[0]?.text).toContain('since 2026-11-22 00:00 UTC');
  });

  it('that is over before its time is not said', () => {
    const alerts = bench();
    alerts.stands(15_000, [trouble('bob')]);
    alerts.stands(10 * minuteMs, []);
    expect(alerts.messages).toEqual([]);
    expect(alerts.state().kept.size).toBe(0);
  });

  it.each([10_000, 30_000, 60_000, 120_000, 280_000])(
    'of forty seconds, ten times with pauses of %i ms, is one alert',
    (pauseMs) => {
      const alerts = bench();
      for (let round = 0; round < 10; round += 1) {
        // A cut of 40 s is agreed to be one for its last seconds alone.
        alerts.stands(10_000, [trouble('bob')]);
        alerts.stands(pauseMs, []);
      }
      expect(alerts.told()).toEqual([['bob on']]);
      expect(alerts.messages[0]?.text).toContain('It came 3 times.');
      alerts.stands(10 * minuteMs, []);
      expect(alerts.told()).toEqual([['bob on'], ['bob over']]);
    },
  );

  it('that comes back again and again has to be gone for longer each time before it is called over', () => {
    const alerts = bench();
    for (let round = 0; round < 20; round += 1) {
      alerts.stands(minuteMs, [trouble('bob')]);
      alerts.stands(21 * minuteMs, []);
    }
    // Gone for 5, 10 and 20 minutes is over; for 40 it never is.
    expect(alerts.told().map(([one]) => one)).toEqual([
      'bob on',
      'bob over',
      'bob on',
      'bob over',
      'bob on',
      'bob over',
      'bob on',
    ]);
    expect(overAfterMs(1)).toBe(5 * minuteMs);
    expect(overAfterMs(50)).toBe(6 * 60 * minuteMs);
  });

  it('that grows worse is said again, and not when it is better', () => {
    const alerts = bench();
    for (const stage of [25, 50, 50, 25, 75])
      alerts.stands(minuteMs, [trouble('dave', { stage, text: `${stage} % is gone.`, afterMs: 0 })]);
    expect(alerts.messages.map(({ text }) => text.split('\n')[0])).toEqual([
      '25 % is gone.',
      '50 % is gone.',
      '75 % is gone.',
    ]);
  });

  it('that is a piece of news has no end', () => {
    const alerts = bench();
    alerts.stands(minuteMs, [trouble('box', { isNews: true, afterMs: 0 })]);
    alerts.stands(20 * minuteMs, []);
    expect(alerts.told()).toEqual([['box on']]);
  });

  it('comes with the others that came at the same time, and more than twenty are counted', () => {
    const alerts = bench();
    const many = Array.from({ length: 25 }, (_, at) => trouble(`friend-${at}`));
    alerts.stands(2 * minuteMs, many);
    expect(alerts.messages).toHaveLength(1);
    expect(alerts.messages[0]?.told).toHaveLength(25);
    expect(alerts.messages[0]?.text).toContain('friend-19 is down.');
    expect(alerts.messages[0]?.text).not.toContain('friend-20 is down.');
    expect(alerts.messages[0]?.text).toContain('And 5 more: peer alerts list');
  });

  it('is not over while nobody can tell: no line, a friend who is not judged yet, the time after a start', () => {
    const alerts = bench();
    alerts.stands(minuteMs, [trouble('bob')]);
    alerts.stands(20 * minuteMs, [], { blind: true });
    alerts.stands(20 * minuteMs, [], { unsure: ['friend/bob'] });
    expect(alerts.told()).toEqual([['bob on']]);
    alerts.stands(6 * minuteMs, []);
    expect(alerts.told()).toEqual([['bob on'], ['bob over']]);
  });

  it('of which nobody can tell any more is not said', () => {
    const alerts = bench();
    alerts.stands(15_000, [trouble('bob')]);
    alerts.stands(20 * minuteMs, [], { blind: true });
    expect(alerts.messages).toEqual([]);
  });
});

describe('a way to the owner', () => {
  it('that fails is tried again, later each time, and told then what still stands', () => {
    const alerts = bench();
    alerts.broken.add('phone');
    alerts.stands(10 * minuteMs, [trouble('bob')]);
    const { failing } = alerts.state().channels.get('phone') ?? {};
    expect(failing).toMatchObject({ why: 'no answer', failures: 6 });
    expect(alerts.order.filter((kind) => kind === 'way')).toHaveLength(1);
    alerts.broken.delete('phone');
    alerts.stands(alertLimits.retryMaxMs, [trouble('bob')]);
    expect(alerts.told()).toEqual([['bob on']]);
    expect(alerts.state().channels.get('phone')?.failing).toBeUndefined();
    expect(alerts.order.filter((kind) => kind === 'way')).toHaveLength(2);
  });

  it('hears of a line that was cut once it is back, in one message, and at once', () => {
    const alerts = bench();
    const line = trouble('line', { key: 'line', kind: 'line', text: 'My own line is cut.' });
    alerts.broken.add('phone');
    alerts.stands(60 * minuteMs, [line], { blind: true });
    alerts.broken.delete('phone');
    alerts.stands(10_000, []);
    expect(alerts.told()).toEqual([['line ended']]);
    expect(alerts.messages[0]?.text).toContain('It is over already (from 2026-11-22 00:00 UTC, for 60 min)');
    alerts.stands(20 * minuteMs, []);
    expect(alerts.messages).toHaveLength(1);
  });

  it('that heard of a trouble only when it was gone hears of it when it is back', () => {
    const alerts = bench();
    alerts.broken.add('phone');
    alerts.stands(3 * minuteMs, [trouble('bob')]);
    alerts.broken.delete('phone');
    alerts.stands(4 * minuteMs, []);
    expect(alerts.told()).toEqual([['bob ended']]);
    alerts.stands(10_000, [trouble('bob')]);
    expect(alerts.messages).toHaveLength(1);
    alerts.stands(minuteMs, [trouble('bob')]);
    expect(alerts.told()).toEqual([['bob ended'], ['bob on']]);
  });

  it('that was not told the end of a trouble is not told that it is back', () => {
    const alerts = bench();
    alerts.stands(minuteMs, [trouble('bob')]);
    alerts.broken.add('phone');
    alerts.stands(20 * minuteMs, []);
    alerts.stands(minuteMs, [trouble('bob')]);
    alerts.broken.delete('phone');
    alerts.stands(20 * minuteMs, [trouble('bob')]);
    expect(alerts.told()).toEqual([['bob on']]);
    alerts.stands(20 * minuteMs, []);
    expect(alerts.told()).toEqual([['bob on'], ['bob over']]);
  });

  it('hears nothing twice because another one fails', () => {
    const alerts = bench(['phone', 'mail']);
    alerts.broken.add('mail');
    alerts.stands(10 * minuteMs, [trouble('bob')]);
    expect(alerts.messages.map(({ way }) => way)).toEqual(['phone']);
    alerts.broken.delete('mail');
    alerts.stands(20 * minuteMs, [trouble('bob')]);
    expect(alerts.messages.map(({ way }) => way)).toEqual(['phone', 'mail']);
  });

  it('that is added later is told what stands, and nothing of the past', () => {
    const alerts = bench();
    alerts.stands(minuteMs, [trouble('bob')]);
    alerts.stands(10 * minuteMs, [trouble('carol')]);
    alerts.take({ kind: 'channels', channels: ['phone', 'mail'] });
    alerts.stands(minuteMs, [trouble('carol')]);
    expect(alerts.messages.filter(({ way }) => way === 'mail').map(({ told }) => told)).toEqual([
      ['carol on'],
    ]);
  });

  it('carries twelve messages an hour; what is more comes together', () => {
    const alerts = bench();
    const all: Trouble[] = [];
    for (let at = 0; at < 40; at += 1) {
      all.push(trouble(`friend-${at}`, { afterMs: 0 }));
      alerts.stands(minuteMs, all);
    }
    expect(alerts.messages).toHaveLength(alertLimits.messagesPerHour);
    alerts.stands(60 * minuteMs, all);
    expect(alerts.messages).toHaveLength(alertLimits.messagesPerHour + 1);
    expect(alerts.told().flat()).toHaveLength(40);
  });

  it('has what it is to be told on disk before it is sent', () => {
    const alerts = bench();
    alerts.stands(minuteMs, [trouble('bob')]);
    expect(alerts.order[0]).toBe('save');
    expect(alerts.order.indexOf('send')).toBeGreaterThan(0);
    expect(alerts.order.at(-1)).toBe('save');
  });
});

describe('a clock that is set back by hours', () => {
  const backMs = -5 * 3_600_000;

  it('keeps no trouble waiting that was seen before, and no end of one', () => {
    const one = bench();
    one.stands(10_000, [trouble('bob')]);
    one.jump(backMs);
    one.stands(30_000, [trouble('bob')]);
    expect(one.told()).toEqual([['bob on']]);
    one.stands(60_000, []);
    one.jump(backMs);
    one.stands(6 * minuteMs, []);
    expect(one.told()).toEqual([['bob on'], ['bob over']]);
  });

  it('keeps no way waiting that failed, and nothing that is due', () => {
    const one = bench();
    one.broken.add('phone');
    one.stands(10 * minuteMs, [trouble('bob')]);
    one.broken.clear();
    one.jump(backMs);
    one.stands(10_000, [trouble('bob')]);
    expect(one.told()).toEqual([['bob on']]);
  });
});

describe('a restart', () => {
  it('neither repeats what was said nor forgets that its end is to be said', () => {
    const alerts = bench();
    alerts.stands(minuteMs, [trouble('bob')]);
    alerts.restart();
    alerts.stands(minuteMs, [trouble('bob')], { blind: true });
    alerts.restart();
    alerts.stands(10 * minuteMs, [trouble('bob')]);
    expect(alerts.told()).toEqual([['bob on']]);
    alerts.restart();
    alerts.stands(6 * minuteMs, []);
    expect(alerts.told()).toEqual([['bob on'], ['bob over']]);
  });

  it('does not forget what did not get through', () => {
    const alerts = bench();
    alerts.broken.add('phone');
    alerts.stands(minuteMs, [trouble('bob')]);
    alerts.restart();
    alerts.broken.delete('phone');
    alerts.stands(10_000, [], { unsure: ['friend/bob'] });
    expect(alerts.told()).toEqual([['bob on']]);
  });

  it('begins anew where the row is damaged', () => {
    const alerts = bench();
    alerts.stands(minuteMs, [trouble('bob')]);
    const row = encodeAlertRow(alerts.state());
    expect(decodeAlertRow(row.subarray(1))).toBeUndefined();
    expect(decodeAlertRow(new Uint8Array())).toBeUndefined();
  });
});

describe('a mute', () => {
  const muted = (about?: string) => {
    const alerts = bench();
    alerts.take({ kind: 'mute', about, untilMs: startMs + 60 * minuteMs });
    return alerts;
  };

  it('of everything keeps what stands for its end, and drops what is over by then', () => {
    const alerts = muted();
    alerts.stands(20 * minuteMs, [trouble('bob'), trouble('carol')]);
    alerts.stands(41 * minuteMs, [trouble('carol')]);
    expect(alerts.told()).toEqual([['carol on']]);
  });

  it('of one friend, in whatever letters, leaves the others', () => {
    const alerts = muted('BOB');
    alerts.stands(20 * minuteMs, [trouble('bob'), trouble('carol')]);
    expect(alerts.told()).toEqual([['carol on']]);
  });

  it('of a kind leaves the other kinds', () => {
    const alerts = muted('friend');
    alerts.stands(minuteMs, [trouble('bob'), trouble('disk', { key: 'disk', kind: 'disk' })]);
    expect(alerts.told()).toEqual([['disk on']]);
  });

  it('ends when it is taken back, alone or with all others', () => {
    const alerts = muted('bob');
    alerts.stands(minuteMs, [trouble('bob')]);
    alerts.take({ kind: 'unmute', about: 'carol' });
    expect(alerts.messages).toEqual([]);
    alerts.take({ kind: 'unmute', about: undefined });
    expect(alerts.told()).toEqual([['bob on']]);
  });

  it('outlives a restart, and there are at most fifty', () => {
    const alerts = muted('bob');
    alerts.restart();
    alerts.stands(minuteMs, [trouble('bob')]);
    expect(alerts.messages).toEqual([]);
    for (let at = 0; at < 60; at += 1)
      alerts.take({ kind: 'mute', about: `friend-${at}`, untilMs: startMs + 60 * minuteMs });
    expect(alerts.state().mutes).toHaveLength(alertLimits.mutes);
  });
});

describe('whatever happens', () => {
  const names = ['a', 'b', 'c'];
  const days = fc.array(
    fc.record({
      on: fc.subarray(names),
      unsure: fc.subarray(names),
      blind: fc.boolean(),
      broken: fc.boolean(),
      restart: fc.boolean(),
      forMs: fc.constantFrom(5000, 20_000, 45_000, 180_000, 1_200_000),
    }),
    { maxLength: 40 },
  );

  it('each way hears of a trouble once and of its end at most once, at most twelve times an hour, and of all that stays', () => {
    fc.assert(
      fc.property(days, (spans) => {
        const alerts = bench(['phone', 'mail']);
        for (const { on, unsure, blind, broken, restart, forMs } of spans) {
          if (broken) alerts.broken.add('phone');
          else alerts.broken.delete('phone');
          if (restart) alerts.restart();
          const keys = unsure.map((name) => `friend/${name}`);
          alerts.stands(
            forMs,
            on.map((name) => trouble(name)),
            { unsure: keys, blind },
          );
        }
        alerts.broken.clear();
        alerts.stands(
          70 * minuteMs,
          names.map((name) => trouble(name)),
        );
        for (const way of ['phone', 'mail']) {
          const mine = alerts.messages.filter((one) => one.way === way);
          for (const name of names) {
            const told = mine.flatMap((one) => one.told).filter((one) => one.startsWith(`${name} `));
            const what = told.map((one) => one.split(' ')[1]);
            // What is said to be there is not said again before its end was.
            for (const [at, one] of what.entries())
              if (one === 'on' && at > 0) expect(what[at - 1]).not.toBe('on');
            for (const [at, one] of what.entries()) if (one === 'over') expect(what[at - 1]).toBe('on');
            expect(what.at(-1)).toBe('on');
          }
          for (const { atMs } of mine)
            expect(
              mine.filter((one) => one.atMs > atMs - 3_600_000 && one.atMs <= atMs).length,
            ).toBeLessThanOrEqual(alertLimits.messagesPerHour);
        }
        expect(decodeAlertRow(encodeAlertRow(alerts.state()))).toBeDefined();
      }),
      { numRuns: 60 },
    );
  });

  it('no more than so many troubles are looked after, and the row of all of them can be read', () => {
    const alerts = bench(Array.from({ length: alertLimits.channels }, (_, at) => `exec:/tell/${at}`));
    const text = 'x'.repeat(alertLimits.textCharacters);
    for (let round = 0; round < 3; round += 1)
      alerts.stands(
        6 * minuteMs,
        Array.from({ length: 1000 }, (_, at) =>
          trouble(`f-${round}-${at}`, { text, over: text, afterMs: 0 }),
        ),
      );
    expect(alerts.state().kept.size).toBeLessThanOrEqual(2 * alertLimits.troubles);
    expect(decodeAlertRow(encodeAlertRow(alerts.state()))).toBeDefined();
  });
});
