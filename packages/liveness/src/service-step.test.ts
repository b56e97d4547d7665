import { expect, it } from 'vitest';
import { probesAtOnceMax, probeTargetsMax } from './limits.ts';
import type { ProbeResult } from './service-check.ts';
import {
  emptyServices,
  findings,
  type ServicesEffect,
  type ServicesState,
  type ServiceTarget,
  serviceKey,
  stepServices,
} from './service-step.ts';

const target = (service: string, address: string, more: Partial<ServiceTarget> = {}): ServiceTarget => ({
  owner: 'alice',
  service,
  target: `${address}:25`,
  protocol: 'smtp',
  checks: [
    { check: { kind: 'smtp', host: 'mail.alice.example', port: 25, greets: [] }, address, everyRounds: 1 },
  ],
  inside: false,
  ...more,
});

const up: ProbeResult = { kind: 'up', tookMs: 20 };
const down: ProbeResult = { kind: 'down', why: 'the connection is refused' };
const odd: ProbeResult = { kind: 'unknown', why: 'another server answers there' };

/** Runs a box's tries for `forMs`, a second at a time; `answer` is the world. */
function run(targets: readonly ServiceTarget[], spread = 0) {
  let state: ServicesState = emptyServices();
  let nowMs = 0;
  let mayJudge = true;
  const changes: { atMs: number; text: string }[] = [];
  let tries = 0;
  const take = ([next, effects]: [ServicesState, ServicesEffect[]]): ServicesEffect[] => {
    state = next;
    for (const effect of effects)
      if (effect.kind === 'changed')
        changes.push({ atMs: nowMs, text: `${effect.finding.service} ${effect.finding.state}` });
    return effects;
  };
  take(stepServices(state, { kind: 'targets', targets, spread }, nowMs));
  return {
    changes,
    tries: () => tries,
    judging: (may: boolean) => {
      mayJudge = may;
    },
    until: (untilMs: number, answer: (key: string) => ProbeResult) => {
      for (; nowMs < untilMs; nowMs += 1000) {
        for (const effect of take(stepServices(state, { kind: 'tick', mayJudge }, nowMs))) {
          if (effect.kind !== 'probe') continue;
          tries += 1;
          const result = answer(effect.key);
          take(stepServices(state, { kind: 'result', key: effect.key, result, mayJudge }, nowMs));
        }
      }
    },
    state: (service: string) => findings(state).find((one) => one.service === service),
    get raw() {
      return state;
    },
  };
}

const mail = target('smtp', '192.0.2.1');
const backup = target('backup-mx', '192.0.2.2');

it('a service that stops answering is down within 3 minutes, since its first failure, and up again within 90 s', () => {
  for (const spread of [0, 0.3, 0.99]) {
    const box = run([mail, backup], spread);
    box.until(600_000, () => up);
    expect(box.state('smtp')?.state).toBe('up');
    box.until(900_000, (key) => (key === serviceKey(mail) ? down : up));
    const [fell] = box.changes.filter(({ text }) => text === 'smtp down');
    // A try that waits its 10 s to the end makes it up to 30 s more.
    expect(fell?.atMs).toBeLessThanOrEqual(600_000 + 110_000);
    expect(fell?.atMs).toBeGreaterThanOrEqual(640_000);
    expect(box.state('smtp')).toMatchObject({ state: 'down', why: 'the connection is refused' });
    expect(box.state('smtp')?.sinceMs).toBeLessThanOrEqual((fell?.atMs ?? 0) - 40_000);
    box.until(1_200_000, () => up);
    const [rose] = box.changes.filter(({ text, atMs }) => text === 'smtp up' && atMs >= 900_000);
    expect(rose?.atMs).toBeLessThanOrEqual(900_000 + 81_000);
  }
});

it('one or two failures in a row are nothing', () => {
  const box = run([mail, backup]);
  let count = 0;
  box.until(3_600_000, (key) => (key === serviceKey(mail) && ++count % 3 !== 0 ? down : up));
  expect(box.changes.filter(({ text }) => text === 'smtp down')).toEqual([]);
});

it('whoever reached no other mail server in the last hour says nothing of one that he does not reach', () => {
  const alone = run([mail]);
  alone.until(600_000, () => up);
  alone.until(1_200_000, () => down);
  expect(alone.state('smtp')).toMatchObject({ state: 'unknown' });
  expect(alone.state('smtp')?.why).toMatch(/no other mail server/);

  const blocked = run([mail, backup]);
  blocked.until(1_200_000, () => down);
  expect([blocked.state('smtp')?.state, blocked.state('backup-mx')?.state]).toEqual(['unknown', 'unknown']);
  blocked.until(1_800_000, (key) => (key === serviceKey(mail) ? down : up));
  expect([blocked.state('smtp')?.state, blocked.state('backup-mx')?.state]).toEqual(['down', 'up']);
});

it('a server at the same address shows nothing about the line, nor does one reached more than an hour ago', () => {
  const twin = { ...target('backup-mx', '192.0.2.1'), target: 'mx2' };
  const same = run([mail, twin]);
  same.until(600_000, (key) => (key === serviceKey(mail) ? down : up));
  expect(same.state('smtp')?.state).toBe('unknown');
  const old = run([mail, backup]);
  old.until(600_000, () => up);
  old.until(5_400_000, (key) => (key === serviceKey(backup) ? down : up));
  old.until(6_000_000, () => down);
  expect(old.state('backup-mx')?.state).toBe('down');
  expect(old.state('smtp')?.state).toBe('unknown');
});

it('a name server that was reached itself in the last hour may be said to be down; one that never was, may not', () => {
  const dns = { ...target('dns', '192.0.2.1', { protocol: 'dns' }), target: 'alice.example at ns1' };
  const known = run([dns]);
  known.until(600_000, () => up);
  known.until(5_400_000, () => down);
  expect(known.state('dns')?.state).toBe('down');
  const never = run([dns]);
  never.until(600_000, () => down);
  expect(never.state('dns')).toMatchObject({ state: 'unknown' });
});

it('pages, plain ports and one’s own box need no other to be reached', () => {
  const web = target('web', '192.0.2.1', { protocol: 'http' });
  const inside = { ...target('smtp', '127.0.0.1'), inside: true };
  const box = run([web, inside]);
  box.until(300_000, () => down);
  expect([box.state('web')?.state, box.state('smtp')?.state]).toEqual(['down', 'down']);
});

it('a box that is cut off tries nothing outside, and what failed meanwhile counts for nothing', () => {
  const inside = { ...target('inside', '127.0.0.1'), inside: true };
  const box = run([mail, backup, inside]);
  box.until(600_000, () => up);
  box.judging(false);
  const before = box.tries();
  box.until(1_200_000, () => down);
  expect(box.state('smtp')?.state).toBe('up');
  expect(box.state('inside')?.state).toBe('down');
  expect(box.tries() - before).toBeLessThan(15);
});

it('a try that was under way when the own line was cut says nothing', () => {
  let [state] = stepServices(emptyServices(), { kind: 'targets', targets: [mail, backup], spread: 0 }, 0);
  const key = serviceKey(mail);
  for (const [other, result] of [[serviceKey(backup), up], [key, up], ...Array(5).fill([key, down])] as [
    string,
    ProbeResult,
  ][])
    [state] = stepServices(
      state,
      { kind: 'result', key: other, result, mayJudge: result.kind === 'up' },
      1000,
    );
  expect(findings(state).find((one) => one.service === 'smtp')?.state).toBe('up');
});

it('another server that answers there makes it unknown, not down', () => {
  const box = run([mail, backup]);
  box.until(600_000, () => up);
  box.until(900_000, (key) => (key === serviceKey(mail) ? odd : up));
  expect(box.state('smtp')).toMatchObject({ state: 'unknown', why: 'another server answers there' });
});

it('while all is well a check is tried in its own rounds only, and in each round once it is not', () => {
  const [check] = mail.checks;
  if (check === undefined) throw new Error('mail has a check');
  const rare = { ...check, everyRounds: 5 };
  let state = emptyServices();
  const tried: number[] = [];
  const round = (nowMs: number, result: ProbeResult) => {
    const [next, effects] = stepServices(state, { kind: 'tick', mayJudge: true }, nowMs);
    state = next;
    for (const effect of effects) {
      if (effect.kind !== 'probe') continue;
      tried.push(effect.checks.length);
      [state] = stepServices(state, { kind: 'result', key: effect.key, result, mayJudge: true }, nowMs);
    }
  };
  [state] = stepServices(
    state,
    { kind: 'targets', targets: [{ ...mail, checks: [check, rare] }], spread: 0 },
    0,
  );
  for (let minute = 1; minute <= 6; minute++) round(minute * 60_000, up);
  expect(tried).toEqual([2, 1, 1, 1, 1, 2]);
  round(420_000, down);
  round(480_000, down);
  expect(tried.slice(6)).toEqual([1, 2]);
});

it('what was said before a restart stands until it is tried', () => {
  const said = {
    owner: 'alice',
    service: 'smtp',
    target: mail.target,
    sinceMs: 5,
    why: 'gone',
    tookMs: undefined,
  };
  const [state] = stepServices(
    emptyServices(),
    { kind: 'targets', targets: [mail], said: [{ ...said, state: 'down' }], spread: 0 },
    1_000_000,
  );
  expect(findings(state)).toEqual([{ ...said, state: 'down' }]);
});

it('tries few at one time and never more services than the limit', () => {
  const many = Array.from({ length: 300 }, (_, index) => target(`s${index}`, `192.0.2.${index % 250}`));
  const [state] = stepServices(emptyServices(), { kind: 'targets', targets: many, spread: 0 }, 0);
  expect(findings(state)).toHaveLength(probeTargetsMax);
  const [, effects] = stepServices(state, { kind: 'tick', mayJudge: true }, 100_000);
  expect(effects).toHaveLength(probesAtOnceMax);
});
