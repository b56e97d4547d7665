import { encodeVoteRecord } from '@copain/trust';
import type { Agenda } from '../world/agenda.ts';
import type { Box } from './box.ts';

/** What a box says of a friend's silence. */
interface UnsaidVote {
  about: string;
  silent: boolean;
  heardAtMs: number;
}

/** Votes on their way to the disk and to everybody, one after the other. */
export interface Votes {
  /** What a full disk does not take is tried again, until it is said or something else is to be said. */
  say: (box: Box, vote: UnsaidVote) => void;
  /** A box that starts knows only what was on its disk. */
  started: (box: Box) => void;
}

interface Unsaid {
  votes: Map<string, UnsaidVote>;
  isSaying: boolean;
}

const againAfterMs = 10_000;

export function votes(agenda: Agenda): Votes {
  const all = new Map<Box, Unsaid>();

  const sayNext = (box: Box, unsaid: Unsaid): void => {
    const vote = unsaid.votes.values().next().value;
    if (vote === undefined || unsaid.isSaying || all.get(box) !== unsaid || !box.on) return;
    const { about, silent } = vote;
    const said = () => {
      const known = box.records.knowledge().records.get(`vote/${box.person.peer}/${about}`);
      return known?.kind === 'vote' ? known.signed.record : undefined;
    };
    const isSaid = (): boolean => (said()?.silent ?? false) === silent;
    unsaid.isSaying = true;
    box.records.publish(
      'vote',
      () => (isSaid() ? undefined : encodeVoteRecord({ ...vote, sequence: (said()?.sequence ?? 0) + 1 })),
      () => {
        unsaid.isSaying = false;
        if (isSaid() && unsaid.votes.get(about) === vote) unsaid.votes.delete(about);
        if (isSaid()) sayNext(box, unsaid);
        else agenda.after(againAfterMs, () => sayNext(box, unsaid));
      },
    );
  };

  return {
    say: (box, vote) => {
      const unsaid = all.get(box) ?? { votes: new Map(), isSaying: false };
      all.set(box, unsaid);
      unsaid.votes.set(vote.about, vote);
      sayNext(box, unsaid);
    },
    started: (box) => {
      all.delete(box);
    },
  };
}
