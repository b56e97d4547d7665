import { connect } from 'node:net';
import type { Clock, HostPort } from '@copain/core';
import { emptyView, type FriendFacts, facts, heardNow, type LivenessInput, step } from '@copain/liveness';
import { encodeVoteRecord } from '@copain/trust';
import type { RecordStore } from './record-store.ts';

/** The liveness room with real time and a real mesh. */
export interface Watch {
  take(input: LivenessInput): void;
  facts(): FriendFacts[];
  /** PeerIds heard now, for our own beats. */
  heard: () => string[];
  lastHeardAtMs(peer: string): number | undefined;
  line(): 'ok' | 'cut' | 'unknown';
  /** This box hears enough of the circle to judge others. */
  mayJudge(): boolean;
}

const lineCheckTimeoutMs = 5000;

export function startWatch(options: {
  self: string;
  clock: Clock;
  records: RecordStore;
  lineCheck(): HostPort | undefined;
  stopping: AbortSignal;
  dialSecond(peer: string): void;
  changed(change: { peer: string; from: string; to: string; confirmed: boolean; seenDownBy: string[] }): void;
  lineChanged(state: 'ok' | 'cut' | 'unknown'): void;
  /** Votes are signed: they wait until signing is possible. */
  signable(): Promise<void>;
  failed: (error: unknown) => void;
}): Watch {
  const { self, clock, records } = options;
  let view = emptyView();
  let line: 'ok' | 'cut' | 'unknown' = 'unknown';
  let voting: Promise<unknown> = Promise.resolve();

  const vote = (about: string, heardAtMs: number, silent: boolean): void => {
    voting = voting
      .then(async () => {
        await options.signable();
        const known = records.knowledge().records.get(`vote/${self}/${about}`);
        const sequence = (known?.kind === 'vote' ? known.signed.record.sequence : 0) + 1;
        await records.publish(
          'vote',
          encodeVoteRecord({ sequence, about, heardAtMs: Math.round(heardAtMs), silent }),
        );
      })
      .catch(options.failed);
  };

  const checkLine = (): void => {
    const target = options.lineCheck();
    if (target === undefined) return;
    const socket = connect({ host: target.host, port: target.port });
    const answer = (answered: boolean): void => {
      socket.destroy();
      if (!options.stopping.aborted) take({ kind: 'line-check', answered });
    };
    socket.setTimeout(lineCheckTimeoutMs);
    socket.once('connect', () => answer(true));
    socket.once('timeout', () => answer(false));
    socket.once('error', () => answer(false));
  };

  const take = (input: LivenessInput): void => {
    const [next, effects] = step(view, input, clock.nowMs());
    view = next;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'dial-second':
          options.dialSecond(effect.peer);
          break;
        case 'vote':
          vote(effect.about, effect.heardAtMs, effect.silent);
          break;
        case 'check-line':
          checkLine();
          break;
        case 'line':
          line = effect.state;
          options.lineChanged(effect.state);
          break;
        case 'changed':
          options.changed(effect);
          break;
      }
    }
  };

  return {
    take,
    facts: () => facts(view),
    heard: () => heardNow(view).map((friend) => friend.peer),
    lastHeardAtMs: (peer) => view.friends.get(peer)?.lastHeardAtMs,
    line: () => line,
    mayJudge: () => !view.frozen,
  };
}
