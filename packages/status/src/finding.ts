import type { Todo } from './status-document.ts';

/** A to-do and how much it matters: a hint leaves the verdict as it is. `alert`: its owner is told of it wherever he is. */
export interface Finding {
  weight: Todo['weight'];
  todo: Omit<Todo, 'weight'>;
  alert?: AlertMark;
}

/** What an alert is about, in words that a person may mute. */
export type TroubleKind =
  | 'address'
  | 'box'
  | 'circle'
  | 'clock'
  | 'disk'
  | 'friend'
  | 'line'
  | 'mail'
  | 'service'
  | 'takeover'
  | 'zone';

/** What makes a finding worth an alert. */
export interface AlertMark {
  /** The same as long as it is the same trouble, also over a restart; begins with the kind. */
  key: string;
  kind: TroubleKind;
  /** Names of friends, zones, domains and services that it is about. */
  about: readonly string[];
  /** Since when it is so, where that is known better than by looking. */
  sinceMs?: number | undefined;
  /** How long it has to stand before anybody is woken; default: not at all. */
  afterMs?: number;
  /** A higher one is worse, and said again; default: 1. */
  stage?: number;
  /** What is said of it, where the words of the to-do have a span in them that goes on growing. */
  text?: string;
  /** What is said once it is over; default: that it is over. */
  over?: string;
  /** It is a piece of news: nothing is said when it is no longer shown. */
  isNews?: boolean;
}

/** Things that share an answer, in the order of their first: they become one part of the sentence. */
export function groupBy<T>(items: readonly T[], answer: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(answer(item), [...(groups.get(answer(item)) ?? []), item]);
  return [...groups.values()];
}
