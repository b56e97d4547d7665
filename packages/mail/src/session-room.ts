/** One session as it counts for the room: by its network, and by when it last got something done. */
export interface SeatedSession {
  id: string;
  network: string;
  progressAtMs: number;
  /** In the middle of a message, or waiting for our answer to one. */
  inData: boolean;
}

/**
 * A newcomer came and the room is over full: who goes? One session of the network that has the most of them, the
 * newcomer's own counted with him: the one that got nothing done for the longest, if possible not in the middle of a
 * message. So a crowd makes room for others and never the other way round. `newcomer` where it is he who goes.
 */
export function whoGoes(
  seated: readonly SeatedSession[],
  newcomerNetwork: string,
): { kind: 'newcomer' } | { kind: 'seated'; id: string } {
  const counts = new Map<string, number>([[newcomerNetwork, 1]]);
  for (const { network } of seated) counts.set(network, (counts.get(network) ?? 0) + 1);
  const most = Math.max(...counts.values());
  if (most === counts.get(newcomerNetwork)) return { kind: 'newcomer' };
  const [last] = seated
    .filter(({ network }) => counts.get(network) === most)
    .toSorted((a, b) => Number(a.inData) - Number(b.inData) || a.progressAtMs - b.progressAtMs);
  return last ? { kind: 'seated', id: last.id } : { kind: 'newcomer' };
}
