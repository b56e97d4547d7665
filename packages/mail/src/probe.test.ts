import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canaryAddress, canaryMessage, canaryToken } from './canary.ts';
import {
  canaryAgainMs,
  canaryEveryMs,
  canaryWithinMs,
  probeAgainMs,
  probeEveryMs,
  probeFailuresMax,
  probeFirstMs,
  probeTargetsMax,
} from './limits.ts';
import {
  noProbes,
  type ProbeEffect,
  type ProbeInput,
  type ProbeOutcome,
  type Probes,
  stepProbes,
} from './probe.ts';
import { recipientForm } from './recipient-form.ts';

const bob = { domain: 'alice.example', peer: 'bob' };
const carol = { domain: 'alice.example', peer: 'carol' };
const outcome = (kind: ProbeOutcome['kind']): ProbeOutcome => ({ kind, text: 'x', address: '192.0.2.1:25' });
const fraction = 0.5;
const targets = (...all: { domain: string; peer: string; canaryAtMs?: number }[]): ProbeInput => ({
  kind: 'targets',
  targets: all.map((one) => ({ canaryAtMs: 0, ...one })),
  fractions: all.map(() => fraction),
});
const tick: ProbeInput = { kind: 'tick', fraction, canaries: true };

/** Runs inputs, each at its time; what was asked for, and the state. */
function run(...inputs: readonly (readonly [number, ProbeInput])[]): {
  state: Probes;
  effects: ProbeEffect[];
} {
  let state = noProbes;
  const effects: ProbeEffect[] = [];
  for (const [nowMs, input] of inputs) {
    const [next, more] = stepProbes(state, input, nowMs);
    state = next;
    effects.push(...more);
  }
  return { state, effects };
}
const probed = (kind: ProbeOutcome['kind']): ProbeInput => ({
  kind: 'probed',
  outcome: outcome(kind),
  fraction,
});

it('a backup is asked soon after the start, then hourly, and one thing at a time', () => {
  const { state, effects } = run(
    [0, targets(bob, carol)],
    [probeFirstMs - 1, tick],
    [probeFirstMs, tick],
    [probeFirstMs, tick],
  );
  expect(effects).toEqual([{ kind: 'probe', ...bob }]);
  const [after] = stepProbes(state, probed('accepted'), probeFirstMs);
  const [, next] = stepProbes(after, tick, probeFirstMs);
  expect(next).toEqual([{ kind: 'probe', ...carol }]);
  expect(after.rows[0]).toMatchObject({ nextAtMs: probeFirstMs + probeEveryMs, okAtMs: probeFirstMs });
});

it('one that did not take it is asked again soon, and counts as failing the second time', () => {
  const first = run([0, targets(bob)], [probeFirstMs, tick], [probeFirstMs, probed('silent')]).state;
  expect(first.rows[0]).toMatchObject({ probe: { failures: 1 }, nextAtMs: probeFirstMs + probeAgainMs });
  const at = probeFirstMs + probeAgainMs;
  const [busy] = stepProbes(first, tick, at);
  const [second] = stepProbes(busy, probed('refused'), at);
  expect(second.rows[0]).toMatchObject({
    probe: { failures: probeFailuresMax },
    nextAtMs: at + probeEveryMs,
    okAtMs: undefined,
  });
  const [open] = stepProbes(busy, probed('unknown'), at);
  expect(open.rows[0]?.probe?.failures).toBe(0);
});

it('a canary goes to whoever took mail when he was asked last, daily, and its way back is measured', () => {
  const started = run(
    [0, targets(bob)],
    [probeFirstMs, tick],
    [probeFirstMs, probed('accepted')],
    [probeFirstMs, tick],
  );
  expect(started.effects.at(-1)).toEqual({ kind: 'canary', ...bob });
  const [sent] = stepProbes(started.state, { kind: 'sent', token: 'aa', atMs: 200_000, fraction }, 200_500);
  expect(sent.rows[0]).toMatchObject({
    canary: { kind: 'sent', token: 'aa' },
    nextCanaryAtMs: 200_500 + canaryEveryMs,
  });
  const [other] = stepProbes(sent, { kind: 'arrived', token: 'bb', intact: true, atMs: 1 }, 201_000);
  expect(other.rows[0]?.canary?.kind).toBe('sent');
  const [came] = stepProbes(sent, { kind: 'arrived', token: 'aa', intact: true, atMs: 203_000 }, 204_000);
  expect(came.rows[0]?.canary).toEqual({ kind: 'arrived', atMs: 203_000, tookMs: 3000 });
  const [changed] = stepProbes(sent, { kind: 'arrived', token: 'aa', intact: false, atMs: 203_000 }, 204_000);
  expect(changed.rows[0]?.canary?.kind).toBe('failed');
});

it('a canary that does not come is told as lost, and sent again after an hour; not at every start of the box', () => {
  const { state } = run(
    [0, targets(bob)],
    [probeFirstMs, tick],
    [probeFirstMs, probed('accepted')],
    [probeFirstMs, tick],
    [probeFirstMs, { kind: 'sent', token: 'aa', atMs: probeFirstMs, fraction }],
    [probeFirstMs + canaryWithinMs + 1, tick],
  );
  const lostAt = probeFirstMs + canaryWithinMs + 1;
  expect(state.rows[0]).toMatchObject({ canary: { kind: 'failed' }, nextCanaryAtMs: lostAt + canaryAgainMs });
  const restarted = run([5000, targets({ ...bob, canaryAtMs: 1000 })]).state;
  expect(restarted.rows[0]?.nextCanaryAtMs).toBe(1000 + canaryEveryMs);
});

it('one that passes the question to our own server does its part, whatever that says', () => {
  const started = run(
    [0, targets(bob)],
    [probeFirstMs, tick],
    [probeFirstMs, probed('passed')],
    [probeFirstMs, tick],
  );
  expect(started.effects.at(-1)).toEqual({ kind: 'canary', ...bob });
  expect(started.state.rows[0]).toMatchObject({ okAtMs: probeFirstMs, probe: { failures: 0 } });
});

it('none is sent while canaries cannot come back here, and a refused one is tried again after an hour', () => {
  const well = run([0, targets(bob)], [probeFirstMs, tick], [probeFirstMs, probed('accepted')]).state;
  expect(stepProbes(well, { kind: 'tick', fraction, canaries: false }, probeFirstMs)[1]).toEqual([]);
  const [busy] = stepProbes(well, tick, probeFirstMs);
  const [refused] = stepProbes(busy, { kind: 'notSent', text: '452 no room', fraction }, probeFirstMs);
  expect(refused.rows[0]).toMatchObject({
    canary: { kind: 'failed', text: '452 no room' },
    nextCanaryAtMs: probeFirstMs + canaryAgainMs,
  });
});

it('whoever waits for an answer has everybody asked at once; who is no backup any more is forgotten', () => {
  const { state } = run([0, targets(bob, carol)], [1, { kind: 'now' }]);
  expect(stepProbes(state, tick, 1)[1]).toEqual([{ kind: 'probe', ...bob }]);
  const [fewer] = stepProbes(state, targets(carol), 2);
  expect(fewer.rows.map(({ peer }) => peer)).toEqual(['carol']);
  const many = Array.from({ length: probeTargetsMax + 9 }, (_, i) => ({ ...bob, peer: `p${i}` }));
  expect(run([0, targets(...many)]).state.rows).toHaveLength(probeTargetsMax);
});

it('whatever happens, at most one thing is under way and no backup is asked more often than every five minutes', () => {
  const input = fc.oneof(
    fc.constantFrom<ProbeInput>(tick, tick, tick, probed('accepted'), probed('refused'), targets(bob, carol)),
    fc.constant<ProbeInput>({ kind: 'notSent', text: '', fraction }),
    fc.constant<ProbeInput>({ kind: 'sent', token: 'aa', atMs: 0, fraction }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(60_000), input), { maxLength: 60 }), (steps) => {
      let nowMs = 0;
      let state = stepProbes(noProbes, targets(bob, carol), 0)[0];
      const asked = new Map<string, number>();
      for (const [waitMs, step] of steps) {
        nowMs += waitMs;
        const wasBusy = state.busy !== undefined;
        const [next, effects] = stepProbes(state, step, nowMs);
        state = next;
        expect(effects.length).toBeLessThanOrEqual(wasBusy ? 0 : 1);
        for (const { kind, peer } of effects) {
          if (kind !== 'probe') continue;
          expect(nowMs - (asked.get(peer) ?? Number.NEGATIVE_INFINITY)).toBeGreaterThan(
            0.9 * probeAgainMs - 1,
          );
          asked.set(peer, nowMs);
        }
      }
    }),
  );
});

it('a canary goes to an address that every friend accepts, and that nobody else is taken for', () => {
  const token = '0123456789abcdef0123';
  const address = canaryAddress(token, 'alice.example');
  expect(canaryToken(address)).toBe(token);
  expect(recipientForm(address.split('@')[0] ?? '')).toBe('postmaster');
  for (const other of ['postmaster@alice.example', 'postmaster+copain-xyz@alice.example', `x${address}`])
    expect(canaryToken(other)).toBeUndefined();
  const text = canaryMessage({ token, domain: 'alice.example', date: 'Thu, 1 Jan 2026 00:00:00 +0000' });
  expect(text).toMatch(/^(?:[ -~]{0,78}\r\n)+$/);
  expect(text).toContain(`\r\nX-Copain-Canary: ${token}\r\n`);
});
