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
/** Votes that could not be signed or written are tried again so much later. */
const voteAgainAfterMs = 10_000;

export function startWatch(options: {
  self: string;
  clock: Clock;
  records: Pick<RecordStore, 'knowledge' | 'publish'>;
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
  /** What is to be said of each friend and is not said yet, the newest of each. */
  const unsaid = new Map<string, { heardAtMs: number; silent: boolean }>();
  let saying: Promise<void> | undefined;
  let sayAgainAtMs = 0;

  const sayVotes = async (): Promise<void> => {
    await options.signable();
    for (let next = unsaid.entries().next(); !next.done; next = unsaid.entries().next()) {
      const [about, vote] = next.value;
      const known = records.knowledge().records.get(`vote/${self}/${about}`);
      const said = known?.kind === 'vote' ? known.signed.record : undefined;
      // What was never said needs no taking back.
      if ((said?.silent ?? false) !== vote.silent) {
        const sequence = (said?.sequence ?? 0) + 1;
        const heardAtMs = Math.round(vote.heardAtMs);
        await records.publish('vote', encodeVoteRecord({ sequence, about, heardAtMs, silent: vote.silent }));
      }
      if (unsaid.get(about) === vote) unsaid.delete(about);
    }
  };

  /** A vote that a full disk holds back goes on counting here, so it is tried until everybody has it. */
  const vote = (): void => {
    if (unsaid.size === 0 || saying !== undefined || clock.nowMs() < sayAgainAtMs) return;
    saying = sayVotes()
      .then(() => {
        sayAgainAtMs = 0;
      })
      .catch((error: unknown) => {
        sayAgainAtMs = clock.nowMs() + voteAgainAfterMs;
        options.failed(error);
      })
      .finally(() => {
        saying = undefined;
      });
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
          unsaid.set(effect.about, { heardAtMs: effect.heardAtMs, silent: effect.silent });
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
    vote();
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
