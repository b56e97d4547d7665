import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Addresses,
  startTelling,
  stepTelling,
  type TellingInput,
  type TellingState,
} from './address-telling.ts';
import { decodeTellingRow, encodeTellingRow } from './address-telling-row.ts';
import { tellingLimits } from './telling-limits.ts';

const first: Addresses = { ipv4: '198.51.100.7', ipv6: undefined };
const second: Addresses = { ipv4: '198.51.100.8', ipv6: undefined };

function bench(targets: readonly string[] = ['hook']) {
  let state: TellingState = startTelling();
  let nowMs = 1_800_000_000_000;
  const said: string[] = [];
  const take = (input: TellingInput): void => {
    const [next, effects] = stepTelling(state, input, nowMs);
    state = next;
    for (const effect of effects) {
      if (effect.kind === 'tell')
        said.push(`${effect.target} ${effect.address.ipv4} before ${effect.before.ipv4}`);
      else if (effect.kind === 'way') said.push(`${effect.target} ${effect.works ? 'works' : effect.why}`);
      else said.push('save');
    }
  };
  take({ kind: 'targets', targets });
  return {
    take,
    said: () => said.splice(0),
    state: () => state,
    wait: (ms: number) => {
      for (const endMs = nowMs + ms; nowMs < endMs; ) {
        nowMs += 1000;
        take({ kind: 'tick' });
      }
    },
    jump: (byMs: number) => {
      nowMs += byMs;
    },
    restart: () => {
      state = { ...startTelling(), targets: decodeTellingRow(encodeTellingRow(state)) ?? new Map() };
      take({ kind: 'targets', targets });
    },
  };
}

describe('whoever is to be told of the address', () => {
  it('is told once, and again when it is another one', () => {
    const telling = bench();
    telling.wait(10_000);
    expect(telling.said()).toEqual([]);
    telling.take({ kind: 'address', address: first });
    expect(telling.said()).toEqual(['hook 198.51.100.7 before undefined']);
    telling.take({ kind: 'told', target: 'hook' });
    telling.wait(86_400_000);
    telling.take({ kind: 'address', address: first });
    expect(telling.said()).toEqual(['save']);
    telling.take({ kind: 'address', address: second });
    expect(telling.said()).toEqual(['hook 198.51.100.8 before 198.51.100.7']);
  });

  it('that changes while he is told, is told the new one next, and no sooner than five seconds later', () => {
    const telling = bench();
    telling.take({ kind: 'address', address: first });
    telling.take({ kind: 'address', address: second });
    telling.take({ kind: 'told', target: 'hook' });
    expect(telling.said()).toEqual(['hook 198.51.100.7 before undefined', 'save']);
    telling.wait(4000);
    expect(telling.said()).toEqual([]);
    telling.wait(1000);
    expect(telling.said()).toEqual(['hook 198.51.100.8 before 198.51.100.7']);
  });

  it('and does not take it is told again, later each time, for ever; another address at once', () => {
    const telling = bench();
    telling.take({ kind: 'address', address: first });
    telling.take({ kind: 'failed', target: 'hook', why: 'no answer' });
    expect(telling.said()).toEqual(['hook 198.51.100.7 before undefined', 'hook no answer']);
    for (const waitMs of [10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000]) {
      telling.wait(waitMs - 1000);
      expect(telling.said()).toEqual([]);
      telling.wait(1000);
      expect(telling.said()).toEqual(['hook 198.51.100.7 before undefined']);
      telling.take({ kind: 'failed', target: 'hook', why: 'no answer' });
    }
    telling.take({ kind: 'address', address: second });
    expect(telling.said()).toEqual(['hook 198.51.100.8 before undefined']);
    telling.take({ kind: 'told', target: 'hook' });
    expect(telling.said()).toEqual(['save', 'hook works']);
  });

  it('does not wait for the old time to come round again where the clock was set back', () => {
    const one = bench();
    one.take({ kind: 'address', address: first });
    one.take({ kind: 'failed', target: 'hook', why: 'no' });
    one.said();
    one.jump(-5 * 3_600_000);
    one.wait(1000);
    expect(one.said()).toEqual(['hook 198.51.100.7 before undefined']);
  });

  it('keeps what he has of a kind that is not known now', () => {
    const telling = bench();
    telling.take({ kind: 'address', address: { ipv4: '198.51.100.7', ipv6: '2001:db8::7' } });
    telling.take({ kind: 'told', target: 'hook' });
    telling.said();
    telling.wait(10_000);
    telling.take({ kind: 'address', address: first });
    expect(telling.said()).toEqual([]);
    telling.take({ kind: 'address', address: second });
    telling.take({ kind: 'told', target: 'hook' });
    expect(telling.state().targets.get('hook')?.told).toMatchObject({ ...second, ipv6: '2001:db8::7' });
  });

  it('is not told again after a restart, unless he is another one', () => {
    const telling = bench();
    telling.take({ kind: 'address', address: first });
    telling.take({ kind: 'told', target: 'hook' });
    telling.said();
    telling.restart();
    telling.take({ kind: 'address', address: first });
    telling.wait(60_000);
    expect(telling.said()).toEqual([]);
    telling.take({ kind: 'targets', targets: ['hook', 'update'] });
    expect(telling.said()).toEqual(['update 198.51.100.7 before undefined']);
    expect(decodeTellingRow(Uint8Array.of(1))).toBeUndefined();
  });

  it('whatever happens has the newest address in the end, was told one thing at a time, and nothing twice in a row', () => {
    const steps = fc.array(
      fc.record({
        address: fc.constantFrom(first, second, { ipv4: undefined, ipv6: '2001:db8::7' }),
        takes: fc.boolean(),
        waitMs: fc.constantFrom(0, 1000, 5000, 60_000),
        restart: fc.boolean(),
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const telling = bench();
        const answer = (takes: boolean): void =>
          telling.take(
            takes ? { kind: 'told', target: 'hook' } : { kind: 'failed', target: 'hook', why: 'no' },
          );
        for (const { address, takes, waitMs, restart } of list) {
          telling.take({ kind: 'address', address });
          const tells = telling.said().filter((one) => one.includes(' before '));
          expect(tells.length).toBeLessThanOrEqual(1);
          if (restart) telling.restart();
          else answer(takes);
          telling.wait(waitMs);
          answer(true);
        }
        telling.take({ kind: 'address', address: second });
        for (let round = 0; round < 3; round += 1) {
          telling.wait(tellingLimits.retryMaxMs);
          answer(true);
        }
        expect(telling.state().targets.get('hook')?.told?.ipv4).toBe(second.ipv4);
      }),
    );
  });
});
