import { createHash } from 'node:crypto';
import type { Random } from '@copain/core';
import { type SimulatedNet, seededRandom, simulatedNet } from '@copain/core/testing';
import {
  emptyView,
  heardNow,
  type LivenessEffect,
  type LivenessInput,
  type LivenessState,
  step,
} from '@copain/liveness';

interface SignedVote {
  from: string;
  about: string;
  silent: boolean;
  heardAtMs: number;
  sequence: number;
}

/** What boxes say: a beat carries the bits and, like the digest exchange of the real one, every vote known. */
type Message =
  | { kind: 'beat'; heard: string[]; votes: SignedVote[]; sentAtMs: number }
  | { kind: 'ack'; sentAtMs: number }
  | { kind: 'vote'; vote: SignedVote }
  | { kind: 'bye' };

interface Box {
  name: string;
  on: boolean;
  /** Counts starts, so that the timers of an earlier life stop. */
  life: number;
  startedAtMs: number;
  skewMs: number;
  view: LivenessState;
  connected: Set<string>;
  heardAtMs: Map<string, number>;
  /** When the last pause of 30 s or more ended. */
  heardSinceMs: Map<string, number>;
  /** Since when it reaches less than half of those that run, by the network; undefined while it reaches more. */
  fewSinceMs: number | undefined;
  /** Survives restarts, as the agent keeps it on disk. */
  votes: Map<string, SignedVote>;
  sequence: number;
}

/** A verdict as it fell: `observer` called `about` down for sure. */
interface Verdict {
  atMs: number;
  observer: string;
  about: string;
}

/**
 * Boxes that run the deciding code of liveness on a simulated network, with beats as on the wire. Checks stand apart
 * and look at `boxes` and at the network, not at what the code believes.
 */
export interface Circle {
  net: SimulatedNet<Message>;
  random: Random;
  names: string[];
  boxes: ReadonlyMap<string, Box>;
  verdicts: Verdict[];
  /** Whatever a check did not like; empty in a good run. */
  broken: string[];
  stateOf(observer: string, about: string): string;
  /** Stops a box: with a good-bye, as a process that ends, or without, as a power cut. */
  stop(name: string, how: 'bye' | 'silent'): void;
  start(name: string): void;
  /** One line over everything that was decided, to compare runs. */
  digest(): string;
}

export interface CircleOptions {
  boxes: number;
  seed: number;
  loss?: number;
}

export function circle(options: CircleOptions): Circle {
  const random = seededRandom(options.seed);
  const names = Array.from({ length: options.boxes }, (_, index) => `box${index}`);
  const boxes = new Map<string, Box>();
  const verdicts: Verdict[] = [];
  const broken: string[] = [];
  const hash = createHash('sha256');
  const net = simulatedNet<Message>({ random, delayMs: [5, 120], loss: options.loss ?? 0.01, deliver });

  function give(box: Box, input: LivenessInput): void {
    const [view, effects] = step(box.view, input, net.nowMs() + box.skewMs);
    box.view = view;
    for (const effect of effects) act(box, effect);
  }

  function act(box: Box, effect: LivenessEffect): void {
    hash.update(`${Math.round(net.nowMs())} ${box.name} ${JSON.stringify(effect)}\n`);
    if (effect.kind === 'vote') {
      const vote = {
        from: box.name,
        about: effect.about,
        silent: effect.silent,
        heardAtMs: effect.heardAtMs,
      };
      publish(box, { ...vote, sequence: ++box.sequence });
    }
    if (effect.kind === 'changed' && effect.to === 'down' && effect.confirmed) {
      verdicts.push({ atMs: net.nowMs(), observer: box.name, about: effect.peer });
      checkVerdict(box, effect.peer);
    }
  }

  function publish(box: Box, vote: SignedVote): void {
    box.votes.set(`${vote.from} ${vote.about}`, vote);
    for (const name of names) if (name !== box.name) net.send(box.name, name, { kind: 'vote', vote });
  }

  function learn(box: Box, vote: SignedVote): void {
    const key = `${vote.from} ${vote.about}`;
    if ((box.votes.get(key)?.sequence ?? 0) >= vote.sequence) return;
    box.votes.set(key, vote);
    give(box, { kind: 'vote', ...vote });
  }

  function deliver(to: string, from: string, message: Message): void {
    const box = boxes.get(to);
    if (!box?.on) return;
    if (message.kind === 'bye') {
      if (box.connected.delete(from)) give(box, { kind: 'disconnected', peer: from });
      return;
    }
    const pausedMs = net.nowMs() - (box.heardAtMs.get(from) ?? Number.NEGATIVE_INFINITY);
    if (pausedMs >= 30_000) box.heardSinceMs.set(from, net.nowMs());
    box.heardAtMs.set(from, net.nowMs());
    give(box, { kind: box.connected.has(from) ? 'heard' : 'connected', peer: from });
    box.connected.add(from);
    if (message.kind === 'vote') learn(box, message.vote);
    else if (message.kind === 'ack')
      give(box, { kind: 'round-trip', peer: from, rttMs: net.nowMs() - message.sentAtMs });
    else {
      net.send(to, from, { kind: 'ack', sentAtMs: message.sentAtMs });
      give(box, { kind: 'heard-bits', from, peers: message.heard });
      for (const vote of message.votes) learn(box, vote);
    }
  }

  const runningNow = (): Box[] => [...boxes.values()].filter(({ on }) => on);
  const inReach = (from: Box): Box[] =>
    runningNow().filter(
      ({ name }) => name === from.name || (net.reaches(name, from.name) && net.reaches(from.name, name)),
    );

  /**
   * A running box that at least two healthy others hear steadily is never called down for sure, nor is any by a box in
   * a minority. Healthy is who reaches more than half of the circle; all of it seen from the network, not from what
   * the boxes believe.
   */
  function checkVerdict(observer: Box, about: string): void {
    if (!boxes.get(about)?.on) return;
    const when = `${Math.round(net.nowMs())}: ${observer.name} calls ${about} down`;
    const running = runningNow();
    const witnesses = running.filter(
      (box) =>
        box !== observer &&
        2 * inReach(box).length > names.length &&
        net.reaches(about, box.name) &&
        // What was heard before he was off says nothing of now.
        net.nowMs() - (boxes.get(about)?.startedAtMs ?? 0) > 15_000 &&
        net.nowMs() - (box.heardAtMs.get(about) ?? Number.NEGATIVE_INFINITY) < 30_000 &&
        net.nowMs() - (box.heardSinceMs.get(about) ?? net.nowMs()) > 15_000,
    );
    if (witnesses.length >= 2)
      broken.push(`${when}, while ${witnesses.map(({ name }) => name).join(', ')} hear it`);
    const within = inReach(observer).length;
    if (2 * within < running.length && !knewBefore(observer, about))
      broken.push(`${when}, but sits in a minority of ${within}`);
  }

  /**
   * Nobody knows at once that he was cut off: what he and most of the circle found out before, that he may still say until
   * they have all been silent to him for 30 s.
   */
  function knewBefore(observer: Box, about: string): boolean {
    const sinceMs = observer.fewSinceMs ?? net.nowMs();
    const heardMs = observer.heardAtMs.get(about) ?? observer.startedAtMs;
    return sinceMs - heardMs > 21_000 && net.nowMs() - sinceMs < 32_000;
  }

  function lookWhoReachesFew(): void {
    const running = runningNow();
    for (const box of running) {
      const isFew = 2 * inReach(box).length < running.length;
      box.fewSinceMs = isFew ? (box.fewSinceMs ?? net.nowMs()) : undefined;
    }
    net.after(1000, lookWhoReachesFew);
  }

  function checkSilences(): void {
    for (const box of boxes.values()) {
      if (!box.on) continue;
      for (const name of names) {
        if (name === box.name) continue;
        const sinceMs = Math.max(box.startedAtMs, box.heardAtMs.get(name) ?? 0);
        if (net.nowMs() - sinceMs > 45_000 && stateOf(box.name, name) === 'up') {
          broken.push(`${Math.round(net.nowMs())}: ${box.name} has not noticed the silence of ${name}`);
        }
      }
    }
    net.after(5_000, checkSilences);
  }

  function stateOf(observer: string, about: string): string {
    return boxes.get(observer)?.view.friends.get(about)?.state ?? 'unknown';
  }

  function start(name: string): void {
    const box = boxes.get(name);
    if (!box || box.on) return;
    box.on = true;
    box.life++;
    box.startedAtMs = net.nowMs();
    box.fewSinceMs = undefined;
    box.connected.clear();
    box.heardAtMs.clear();
    box.view = emptyView();
    const friends = names.filter((other) => other !== name).map((peer) => ({ peer, network: '' }));
    give(box, { kind: 'roster', self: name, selfNetwork: '', friends });
    for (const vote of box.votes.values()) give(box, { kind: 'vote', ...vote });
    const { life } = box;
    const alive = () => box.on && box.life === life;
    const tick = () => {
      if (!alive()) return;
      give(box, { kind: 'tick' });
      net.after(1000, tick);
    };
    const beatTo = (friend: string) => {
      if (!alive()) return;
      const heard = heardNow(box.view).map(({ peer }) => peer);
      net.send(name, friend, { kind: 'beat', heard, votes: [...box.votes.values()], sentAtMs: net.nowMs() });
      net.after(9_000 + 2_000 * random.fraction(), () => beatTo(friend));
    };
    net.after(1000 * random.fraction(), tick);
    for (const { peer } of friends) net.after(3_000 * random.fraction(), () => beatTo(peer));
  }

  function stop(name: string, how: 'bye' | 'silent'): void {
    const box = boxes.get(name);
    if (!box?.on) return;
    box.on = false;
    if (how === 'bye') for (const other of names) if (other !== name) net.send(name, other, { kind: 'bye' });
  }

  names.forEach((name, index) => {
    boxes.set(name, {
      name,
      on: false,
      life: 0,
      startedAtMs: 0,
      // Clocks of different boxes have nothing to do with each other.
      skewMs: 1e12 + index * 86_400_000 * (index % 2 === 0 ? 1 : -1),
      view: emptyView(),
      connected: new Set(),
      heardAtMs: new Map(),
      heardSinceMs: new Map(),
      fewSinceMs: undefined,
      votes: new Map(),
      sequence: 0,
    });
  });
  for (const name of names) start(name);
  net.after(5_000, checkSilences);
  net.after(1_000, lookWhoReachesFew);
  const digest = (): string => hash.copy().digest('hex');
  return { net, random, names, boxes, verdicts, broken, stateOf, stop, start, digest };
}

const minuteMs = 60_000;

/** Faults of homes and their lines, one after the other and on top of each other, until `untilMs`. */
export function afflict(circle: Circle, options: { untilMs: number; meanGapMs: number }): void {
  const { net, random, names } = circle;
  const between = (least: number, most: number) => least + (most - least) * random.fraction();
  const pick = () => names[Math.floor(random.fraction() * names.length)] ?? '';
  /** Every pair comes back at its own time: a redial takes from no time to a quarter of a minute. */
  const apart = (these: string[], those: string[], forMs: number) => {
    for (const one of these) {
      for (const other of those) {
        const heal = net.separate([one], [other]);
        net.after(forMs + between(0, 15_000), heal);
      }
    }
  };
  const others = (name: string) => names.filter((other) => other !== name);
  const faults = [
    () => {
      const name = pick();
      apart([name], others(name), between(5_000, 50_000));
    },
    () => {
      const name = pick();
      apart([name], others(name), between(minuteMs, 10 * minuteMs));
    },
    () => {
      const name = pick();
      circle.stop(name, 'silent');
      net.after(between(10_000, 120 * minuteMs), () => circle.start(name));
    },
    () => {
      const name = pick();
      circle.stop(name, 'bye');
      net.after(between(2_000, 10 * minuteMs), () => circle.start(name));
    },
    () => {
      const name = pick();
      apart(
        [name],
        [pick()].filter((other) => other !== name),
        between(30_000, 10 * minuteMs),
      );
    },
    () => {
      const [from, to] = [pick(), pick()];
      if (from === to) return;
      net.cut(from, to);
      net.after(between(30_000, 10 * minuteMs), () => net.heal(from, to));
    },
    () => {
      const these = names.filter(() => random.fraction() < 0.5);
      apart(
        these,
        names.filter((name) => !these.includes(name)),
        between(30_000, 30 * minuteMs),
      );
    },
  ];
  const next = () => {
    if (net.nowMs() >= options.untilMs) return;
    faults[Math.floor(random.fraction() * faults.length)]?.();
    net.after(-Math.log(1 - random.fraction()) * options.meanGapMs, next);
  };
  net.after(minuteMs, next);
}
