import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextOffer, nextOfferAtMs, smallAndOldFirst } from './drain.ts';
import { offerItemsMax, offerMaxBytes, retryFirstMs, retryMaxMs } from './limits.ts';
import { decodeQueueRow, encodeQueueRow } from './queue-row.ts';
import { retryDelayMs } from './retry-schedule.ts';
import {
  type HeldMessage,
  isWaiting,
  type QueuedMessage,
  type RecipientOutcome,
  stepHeld,
  stepQueued,
} from './spool.ts';

const held = (change: Partial<HeldMessage> = {}): HeldMessage => ({
  id: 'h1',
  ownerId: 'alice',
  domain: 'alice.test',
  sizeBytes: 1000,
  receivedAtMs: 1,
  tags: ['00'],
  state: 'held',
  failures: 0,
  notBeforeMs: 0,
  copyAt: undefined,
  asking: undefined,
  ...change,
});

describe('a held message', () => {
  it('goes only by an acknowledgement, or when whoever is asked to answer for it has it', () => {
    const input = fc.constantFrom(
      { kind: 'offered' } as const,
      { kind: 'postponed', fraction: 0.5 } as const,
      { kind: 'interrupted' } as const,
      { kind: 'flush' } as const,
      { kind: 'asked', to: 'carol', give: false } as const,
      { kind: 'asked', to: 'carol', give: true } as const,
      { kind: 'had', by: 'dave' } as const,
      { kind: 'kept' } as const,
      { kind: 'told', by: 'dave' } as const,
      { kind: 'doubted' } as const,
    );
    fc.assert(
      fc.property(fc.array(input, { maxLength: 20 }), (inputs) => {
        let message = held();
        for (const one of inputs) {
          const [next, effects] = stepHeld(message, one, 1000);
          expect(effects).toEqual([]);
          if (!next) throw new Error('gone');
          message = next;
        }
        expect(stepHeld(message, { kind: 'acknowledged' }, 1000)).toEqual([
          undefined,
          [{ kind: 'remove', id: 'h1' }],
        ]);
      }),
    );
  });

  it('is known to be with a friend as well from his word on, until that is in doubt; an unasked word is none', () => {
    const after = (...inputs: Parameters<typeof stepHeld>[1][]): HeldMessage | undefined =>
      inputs.reduce<HeldMessage | undefined>((one, input) => one && stepHeld(one, input, 0)[0], held());
    const ask = { kind: 'asked', to: 'carol', give: false } as const;
    const give = { kind: 'asked', to: 'carol', give: true } as const;
    const had = { kind: 'had', by: 'carol' } as const;
    expect(after(had)?.copyAt).toBeUndefined();
    expect(after(ask, had)?.copyAt).toBe('carol');
    expect(after(ask, { kind: 'kept' }, had)?.copyAt).toBeUndefined();
    expect(after(ask, had, { kind: 'doubted', by: 'dave' })?.copyAt).toBe('carol');
    expect(after(ask, had, { kind: 'doubted' })?.copyAt).toBeUndefined();
    expect(after(give, { kind: 'had', by: 'dave' })).toBeDefined();
    expect(after(give, { kind: 'kept' }, had)).toBeDefined();
    expect(stepHeld(after(give) ?? held(), had, 0)).toEqual([undefined, [{ kind: 'remove', id: 'h1' }]]);
  });

  it('that the owner could not take waits longer every time, and not at all after a flush', () => {
    const [once] = stepHeld(held(), { kind: 'postponed', fraction: 1 }, 0);
    const [twice] = stepHeld(once ?? held(), { kind: 'postponed', fraction: 1 }, 0);
    expect([once?.notBeforeMs, twice?.notBeforeMs]).toEqual([retryFirstMs, 2 * retryFirstMs]);
    expect(stepHeld(twice ?? held(), { kind: 'flush' }, 0)[0]?.notBeforeMs).toBe(0);
  });
});

describe('an offer', () => {
  it('has small before large and old before new, and nothing of another owner or before its time', () => {
    const messages = [
      held({ id: 'video', sizeBytes: 20_000_000, receivedAtMs: 1 }),
      held({ id: 'new', sizeBytes: 900, receivedAtMs: 9 }),
      held({ id: 'old', sizeBytes: 60_000, receivedAtMs: 2 }),
      held({ id: 'other', ownerId: 'carol' }),
      held({ id: 'waits', notBeforeMs: 500 }),
      held({ id: 'under way', state: 'offered' }),
    ];
    expect(nextOffer(messages, 'alice', 100).map(({ id }) => id)).toEqual(['old', 'new', 'video']);
    expect(nextOfferAtMs(messages, 'alice')).toBe(0);
    expect(nextOfferAtMs([held({ notBeforeMs: 500 }), held({ state: 'offered' })], 'alice')).toBe(500);
    expect(nextOfferAtMs(messages, 'dave')).toBeUndefined();
  });

  it('is never longer than one frame takes, and never empty while something is due', () => {
    const many = Array.from({ length: 300 }, (_, i) => held({ id: `${i}`, tags: Array(100).fill('00') }));
    const offer = nextOffer(many, 'alice', 0);
    expect(offer.length).toBeGreaterThan(0);
    expect(offer.length * (128 + 100 * 18)).toBeLessThanOrEqual(offerMaxBytes);
    expect(
      nextOffer(
        many.map((one) => ({ ...one, tags: ['00'] })),
        'alice',
        0,
      ),
    ).toHaveLength(offerItemsMax);
  });

  it('sorts by a consistent order', () => {
    const item = fc.record({ sizeBytes: fc.nat(), receivedAtMs: fc.nat() });
    fc.assert(
      fc.property(item, item, (a, b) => {
        expect(Math.sign(smallAndOldFirst(a, b))).toBe(-Math.sign(smallAndOldFirst(b, a)) + 0);
      }),
    );
  });
});

it('the waits between tries grow from 5 s to 5 min and stay there', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 100].map((failures) => retryDelayMs(failures, 1))).toEqual(
    [5, 10, 20, 40, 80, 160, 300, 300, 300].map((seconds) => seconds * 1000),
  );
  expect(retryDelayMs(100, 0)).toBe(0.9 * retryMaxMs);
});

const queued = (recipients: QueuedMessage['recipients']): QueuedMessage => ({
  id: 'q1',
  domain: 'alice.test',
  from: 's@out.test',
  recipients,
  sizeBytes: 10,
  receivedAtMs: 1,
  failures: 0,
  notBeforeMs: 0,
  reply: '',
});

describe('a queued message', () => {
  it('is tried for ever, each recipient delivered at most once, and removed only when all are', () => {
    const outcome = fc.constantFrom<RecipientOutcome | 'none'>('delivered', 'deferred', 'refused', 'none');
    fc.assert(
      fc.property(fc.array(fc.tuple(outcome, outcome, outcome), { maxLength: 12 }), (rounds) => {
        let message: QueuedMessage | undefined = queued(
          ['a', 'b', 'c'].map((address) => ({ address, tag: address, state: 'waiting' as const })),
        );
        const finished: string[] = [];
        for (const round of rounds) {
          if (!message) return;
          const before: QueuedMessage = message;
          const outcomes = new Map<string, RecipientOutcome>();
          for (const [i, one] of round.entries()) if (one !== 'none') outcomes.set('abc'[i] ?? '', one);
          const [next, effects] = stepQueued(
            before,
            { kind: 'attempted', outcomes, reply: 'x', fraction: 0 },
            100,
          );
          for (const effect of effects)
            if (effect.kind === 'save' || effect.kind === 'forget')
              finished.push(...effect.finished.map(({ address }) => address));
          const kinds = effects.map(({ kind }) => kind);
          // What must be durable comes before what people are told, and before the record goes.
          expect(kinds.lastIndexOf('save')).toBeLessThan(
            Math.max(0, kinds.indexOf('report')) || kinds.length,
          );
          if (next === undefined) expect(kinds.slice(0, 2)).toEqual(['forget', 'remove']);
          else expect(kinds).not.toContain('remove');
          message = next;
        }
        expect(new Set(finished).size).toBe(finished.length);
        if (message && isWaiting(message) && rounds.length > 0)
          expect(message.notBeforeMs).toBeGreaterThan(100);
      }),
    );
  });

  it('comes back from its row as it was, but is due at once', () => {
    const message = {
      ...queued([
        { address: 'a@alice.test', tag: '00', state: 'delivered' },
        { address: 'é@alice.test', tag: '01', state: 'quarantined' },
      ]),
      reply: '550 5.1.1 who?',
      failures: 3,
      notBeforeMs: 9999,
    };
    expect(decodeQueueRow('q1', encodeQueueRow(message))).toEqual({
      ...message,
      failures: 0,
      notBeforeMs: 0,
    });
    expect(decodeQueueRow('q1', Uint8Array.of(1, 2, 3))).toBeUndefined();
  });
});
