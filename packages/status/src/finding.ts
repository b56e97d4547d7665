import type { Todo } from './status-document.ts';

/** A to-do and how much it matters: a hint leaves the verdict as it is. */
export interface Finding {
  weight: Todo['weight'];
  todo: Omit<Todo, 'weight'>;
}

/** Things that share an answer, in the order of their first: they become one part of the sentence. */
export function groupBy<T>(items: readonly T[], answer: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(answer(item), [...(groups.get(answer(item)) ?? []), item]);
  return [...groups.values()];
}
