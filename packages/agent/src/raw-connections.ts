/** Connections in raw mode that ended, by the friend at the other end, counted since the start. */
export interface RawConnections {
  /** `passed`: closed by both sides; `broken`: cut in the middle; `declined`: not passed on as they are. */
  count(friend: string, outcome: RawOutcome): void;
  totals(): { friend: string; outcome: RawOutcome; count: number }[];
}

type RawOutcome = 'passed' | 'broken' | 'declined';

/** Friends are those of the circle, so there are few of them. */
export function countRawConnections(): RawConnections {
  const counts = new Map<string, { friend: string; outcome: RawOutcome; count: number }>();
  return {
    count: (friend, outcome) => {
      const key = `${outcome} ${friend}`;
      counts.set(key, { friend, outcome, count: (counts.get(key)?.count ?? 0) + 1 });
    },
    totals: () => [...counts.values()],
  };
}
