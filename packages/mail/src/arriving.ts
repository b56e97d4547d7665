/** Bytes of messages that are coming in, by the network they come from. */
export type Arriving = ReadonlyMap<string, number>;

/**
 * May this network have `moreBytes` under way as well? While there is room in all, yes. Beyond it each network has an equal
 * share, and whoever is below his goes on: a newcomer is never kept out by those who fill the room.
 */
export function mayArrive(
  arriving: Arriving,
  { network, moreBytes, maxBytes }: { network: string; moreBytes: number; maxBytes: number },
): boolean {
  let totalBytes = moreBytes;
  for (const sizeBytes of arriving.values()) totalBytes += sizeBytes;
  if (totalBytes <= maxBytes) return true;
  const networks = arriving.has(network) ? arriving.size : arriving.size + 1;
  return (arriving.get(network) ?? 0) + moreBytes <= maxBytes / networks;
}
