import { expect, it, vi } from 'vitest';
import { type GossipCircle, gossipCircle } from './gossip-circle.ts';

// Simulated hours take real seconds, and more of them on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** How long a fact took to the last box, from its signing. */
function spreadMs(run: GossipCircle, peer: string, withinMs: number): { ms: number; boxes: number } {
  const startMs = run.net.nowMs();
  const fact = run.publish(peer);
  run.net.runUntil(startMs + withinMs);
  const learned = [...run.learnedAtMs(fact).values()];
  return { ms: Math.max(...learned) - startMs, boxes: learned.length };
}

it('with 30 members news reaches all in well under a second, once each, and nobody sends it twice', () => {
  const run = gossipCircle({ boxes: 30, seed: 30 });
  run.net.runUntil(2 * minuteMs);
  for (const peer of run.peers.slice(0, 10)) {
    const before = run.peers.map((one) => run.box(one).sentFrames.push);
    expect(spreadMs(run, peer, 5000)).toEqual({ ms: expect.any(Number), boxes: 30 });
    const fact = run.box(peer).log.facts.get(`address/${peer}`);
    const times = fact === undefined ? [] : [...run.learnedAtMs(fact).values()];
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(200);
    const pushes = run.peers.reduce(
      (sum, one, i) => sum + run.box(one).sentFrames.push - (before[i] ?? 0),
      0,
    );
    expect(pushes).toBe(29);
  }
  expect(run.isAgreed()).toBe(true);
});

it('30 idle members exchange beats and nothing else', () => {
  const run = gossipCircle({ boxes: 30, seed: 31 });
  for (const peer of run.peers) run.publish(peer);
  run.net.runUntil(2 * minuteMs);
  const sent = (): number => run.peers.reduce((sum, peer) => sum + run.box(peer).sentBytes, 0);
  const others = (): number =>
    run.peers.reduce((sum, peer) => {
      const { push, have, want, hello } = run.box(peer).sentFrames;
      return sum + push + have + want + hello;
    }, 0);
  const [bytes, frames] = [sent(), others()];
  run.net.runUntil(run.net.nowMs() + 3 * minuteMs);
  expect(others()).toBe(frames);
  expect((sent() - bytes) / 180 / 30).toBeLessThan(29 * 25);
});

it('through friends of friends it goes hop by hop, without waiting for a beat', () => {
  const run = gossipCircle({ boxes: 8, seed: 8, linked: (a, b) => b - a === 1 });
  run.net.runUntil(minuteMs);
  const { ms, boxes } = spreadMs(run, run.peers[0] ?? '', 5000);
  expect(boxes).toBe(8);
  expect(ms).toBeLessThan(7 * 61);
});

it('whoever was away for a day knows everything within seconds of his return', () => {
  const run = gossipCircle({ boxes: 5, seed: 5 });
  run.net.runUntil(minuteMs);
  const [away = '', ...others] = run.peers;
  run.stop(away);
  for (let hour = 0; hour < 24; hour++) {
    for (const peer of others) run.publish(peer);
    run.net.runUntil(run.net.nowMs() + hourMs);
  }
  run.start(away);
  const backAtMs = run.net.nowMs();
  while (!run.isAgreed() && run.net.nowMs() < backAtMs + minuteMs) run.net.runUntil(run.net.nowMs() + 100);
  expect(run.isAgreed()).toBe(true);
  expect(run.net.nowMs() - backAtMs).toBeLessThan(3000);
});

it('a box whose address changed learns and tells everything again, whoever dials first', () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const run = gossipCircle({ boxes: 4, seed });
    run.net.runUntil(minuteMs);
    const [moved = '', other = ''] = run.peers;
    run.changeAddress(moved);
    run.publish(other);
    run.net.runUntil(run.net.nowMs() + 75_000);
    expect(run.isAgreed(), `seed ${seed}`).toBe(true);
    expect(spreadMs(run, moved, 5000).boxes, `seed ${seed}`).toBe(4);
    expect(spreadMs(run, other, 5000).boxes, `seed ${seed}`).toBe(4);
  }
});

for (const [boxes, hours, seed] of [
  [3, 48, 3001],
  [6, 18, 3002],
  [12, 4, 3003],
  [30, 0.25, 3004],
] as const) {
  it(`${boxes} boxes, cuts, moves and restarts for ${hours} h: nothing goes back, and all agree in the end`, () => {
    const run = gossipCircle({ boxes, seed });
    const untilMs = hours * hourMs;
    const pick = (): string => run.peers[Math.floor(run.random.fraction() * boxes)] ?? '';
    const trouble = (): void => {
      if (run.net.nowMs() >= untilMs) return;
      run.net.after(run.random.fraction() * 4 * minuteMs, trouble);
      const peer = pick();
      const lastsMs = run.random.fraction() * 10 * minuteMs;
      switch (Math.floor(run.random.fraction() * 5)) {
        case 0: {
          const side = run.peers.filter(() => run.random.fraction() < 0.4);
          const heal = run.net.separate(
            side,
            run.peers.filter((one) => !side.includes(one)),
          );
          run.net.after(lastsMs, heal);
          break;
        }
        case 1:
          run.changeAddress(peer);
          break;
        case 2:
          run.stop(peer);
          run.net.after(lastsMs, () => run.start(peer));
          break;
        default:
          if (run.box(peer).on) run.publish(peer);
      }
    };
    for (const peer of run.peers) run.publish(peer);
    trouble();
    run.net.runUntil(untilMs + 15 * minuteMs);
    expect(run.broken, `seed ${seed}`).toEqual([]);
    expect(run.isAgreed(), `seed ${seed}`).toBe(true);
    expect(run.box(run.peers[0] ?? '').log.facts.size).toBe(boxes);
  });
}

it('a box that refuses a record for good costs a few kilobytes an hour, and the rest goes on', () => {
  const [refused] = gossipCircle({ boxes: 4, seed: 9 }).peers;
  const run = gossipCircle({
    boxes: 4,
    seed: 9,
    refuses: (peer, fact) => peer === run.peers[3] && fact.key === `address/${refused}`,
  });
  for (const peer of run.peers) run.publish(peer);
  run.net.runUntil(2 * hourMs);
  expect(run.isAgreed()).toBe(false);
  const exchanges = (): number =>
    run.peers.reduce((sum, peer) => {
      const { have, want, push } = run.box(peer).sentFrames;
      return sum + have + want + push;
    }, 0);
  const before = exchanges();
  run.net.runUntil(3 * hourMs);
  // Three friends, an exchange of at most three frames every five minutes.
  expect(exchanges() - before).toBeLessThanOrEqual(3 * 3 * 13);
  expect(spreadMs(run, run.peers[1] ?? '', 5000).boxes).toBe(4);
});

it('the same seed gives the same run, another seed another', () => {
  const digest = (seed: number): string => {
    const run = gossipCircle({ boxes: 5, seed });
    for (const peer of run.peers) run.publish(peer);
    run.net.runUntil(minuteMs);
    return run.digest();
  };
  expect(digest(11)).toBe(digest(11));
  expect(digest(11)).not.toBe(digest(12));
});
