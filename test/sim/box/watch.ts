import {
  emptyView,
  heardNow,
  type LivenessEffect,
  type LivenessInput,
  type LivenessState,
  step,
} from '@copain/liveness';
import { claimValidMs } from '../../../packages/liveness/src/limits.ts';
import type { Agenda, Planned } from '../world/agenda.ts';
import type { BoxClock } from '../world/clock.ts';
import { asleepUntilMs, isWitness } from './sleep.ts';

type Friend = LivenessState['friends'] extends ReadonlyMap<string, infer F> ? F : never;

/** Liveness in one box, with its tick of a second, and the leave to leave out ticks in which nothing can change. */
export interface Watch {
  view(): LivenessState;
  start(roster: LivenessInput & { kind: 'roster' }): void;
  stop(): void;
  take(input: LivenessInput): void;
  /**
   * Beats that were not simulated as they came, of friends who were up all the while and say the same as before: what `heard`
   * and `heard-bits` make of them, for all at once.
   */
  heardLate(beats: readonly { peer: string; atMs: number }[]): void;
  /** Counts how often the set of friends heard changed. */
  heardVersion(): number;
  heard(): readonly string[];
  /** The first tick of this box at this instant or later, a whole number of ms. */
  tickAtMs(fromMs: number): number;
  /** Something happens to this box: time that was passed over is made up for, and it ticks again. */
  wake(): void;
  /** Ticks at this instant at the latest. */
  wakeBy(atMs: number): void;
}

const secondMs = 1000;

export function watch(options: {
  agenda: Agenda;
  clock: BoxClock;
  tickPhaseMs: number;
  /** Simulate every tick? */
  full: boolean;
  act(effect: LivenessEffect): void;
  /** Before anything is decided: beats that came meanwhile. */
  catchUp(): void;
  heardChanged(): void;
  /** Every second in which something may change. */
  tick(): void;
  /** Do beats of this friend keep coming without being simulated one by one? */
  isCalm: (peer: string) => boolean;
  /** Until when nothing but liveness needs a tick. */
  othersSleepUntilMs(): number;
}): Watch {
  const { agenda, clock, full } = options;
  let view = emptyView();
  let heard: readonly string[] = [];
  let heardVersion = 0;
  let planned: Planned | undefined;
  let lastTickMs = 0;
  let running = false;

  const tickAtMs = (fromMs: number): number =>
    options.tickPhaseMs + Math.ceil((fromMs - options.tickPhaseMs) / secondMs) * secondMs;

  const takeAt = (input: LivenessInput, atMs: number): void => {
    const before = view;
    const [next, effects] = step(view, input, clock.localMs(atMs));
    view = next;
    for (const effect of effects) options.act(effect);
    if (effects.length === 0 && next.friends.size === before.friends.size) return;
    const now = heardNow(view).map(({ peer }) => peer);
    if (now.length === heard.length && now.every((peer, i) => peer === heard[i])) return;
    heard = now;
    heardVersion += 1;
    options.heardChanged();
  };

  const tick = (): void => {
    planned = undefined;
    if (!running) return;
    options.catchUp();
    passOver();
    lastTickMs = agenda.nowMs();
    takeAt({ kind: 'tick' }, agenda.nowMs());
    options.tick();
    if (!running) return;
    const untilMs = full
      ? 0
      : Math.min(
          asleepUntilMs(view, {
            localAtZeroMs: clock.localMs(0),
            nowMs: agenda.nowMs(),
            isCalm: options.isCalm,
          }),
          options.othersSleepUntilMs(),
        );
    if (Number.isFinite(untilMs)) plan(tickAtMs(Math.max(untilMs, agenda.nowMs() + 1)));
  };

  const plan = (atMs: number): void => {
    if (planned !== undefined && planned.atMs <= atMs) return;
    planned?.cancel();
    planned = agenda.at(atMs, tick);
  };

  /** Ticks that were left out changed nothing but when the last one was, and when a witness last counted. */
  const passOver = (): void => {
    const lastMs = tickAtMs(agenda.nowMs()) - secondMs;
    if (lastMs <= lastTickMs || view.tickedAtMs === undefined) return;
    view = { ...view, tickedAtMs: clock.localMs(lastMs), friends: stillClaimed(view, clock.localMs(lastMs)) };
    lastTickMs = lastMs;
  };

  const wake = (): void => {
    if (!running) return;
    options.catchUp();
    passOver();
    plan(tickAtMs(agenda.nowMs()));
  };

  return {
    view: () => view,
    start: (roster) => {
      running = true;
      view = emptyView();
      heard = [];
      heardVersion += 1;
      takeAt(roster, agenda.nowMs());
      plan(tickAtMs(agenda.nowMs()));
    },
    stop: () => {
      running = false;
      planned?.cancel();
      planned = undefined;
    },
    take: (input) => {
      wake();
      takeAt(input, agenda.nowMs());
    },
    heardLate: (beats) => {
      const friends = new Map(view.friends);
      for (const { peer, atMs } of beats) {
        const friend = friends.get(peer);
        if (friend === undefined) continue;
        const localMs = clock.localMs(atMs);
        friends.set(peer, {
          ...friend,
          lastHeardAtMs: localMs,
          clockAtMs: localMs,
          claimedAtMs: undefined,
          heardByHimAtMs: localMs,
        });
      }
      view = { ...view, friends };
    },
    heardVersion: () => heardVersion,
    heard: () => heard,
    tickAtMs,
    wake,
    wakeBy: (atMs) => {
      if (running) plan(tickAtMs(atMs));
    },
  };
}

/** Each tick notes that somebody claims to hear whom this box does not hear. */
function stillClaimed(view: LivenessState, tickMs: number): LivenessState['friends'] {
  let friends: Map<string, Friend> | undefined;
  for (const friend of view.friends.values()) {
    if (friend.state !== 'partial') continue;
    const isClaimed = [...view.friends.values()].some(
      (one) => isWitness(one, friend) && tickMs - one.heardByHimAtMs < claimValidMs,
    );
    if (!isClaimed) continue;
    friends ??= new Map(view.friends);
    friends.set(friend.peer, { ...friend, claimedAtMs: tickMs });
  }
  return friends ?? view.friends;
}
