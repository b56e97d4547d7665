import { encodeVoteRecord } from '@copain/trust';
import type { Agenda } from '../world/agenda.ts';
import type { Box } from './box.ts';

/** What a box says of a friend's silence. */
interface UnsaidVote {
  about: string;
  silent: boolean;
  heardAtMs: number;
}

/** Votes on their way to the disk and to everybody. */
export interface Votes {
  /** What a full disk does not take is tried again, until it is said or something else is to be said. */
  say: (box: Box, vote: UnsaidVote) => void;
  /** A box that starts knows only what was on its disk. */
  started: (box: Box) => void;
}

const againAfterMs = 10_000;

export function votes(agenda: Agenda): Votes {
  const unsaid = new Map<Box, Map<string, UnsaidVote>>();
  return {
    say: (box, vote) => {
      const { about, silent } = vote;
      const wanted = unsaid.get(box) ?? new Map<string, UnsaidVote>();
      unsaid.set(box, wanted.set(about, vote));
      const said = () => {
        const known = box.records.knowledge().records.get(`vote/${box.person.peer}/${about}`);
        return known?.kind === 'vote' ? known.signed.record : undefined;
      };
      const tryNow = (): void => {
        if (unsaid.get(box) !== wanted || wanted.get(about) !== vote || !box.on) return;
        if ((said()?.silent ?? false) === silent) {
          wanted.delete(about);
          return;
        }
        box.records.publish('vote', () =>
          encodeVoteRecord({ ...vote, sequence: (said()?.sequence ?? 0) + 1 }),
        );
        agenda.after(againAfterMs, tryNow);
      };
      tryNow();
    },
    started: (box) => {
      unsaid.delete(box);
    },
  };
}
