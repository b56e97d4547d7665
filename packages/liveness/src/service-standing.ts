/** What the owner of a service signed last about who is to be answered. */
export interface ServiceOrder {
  /** The transition that stands by his own word. */
  number: number;
  pin: 'obey' | 'up' | 'down';
  drill: { untilMs: number } | undefined;
}

/** The newest transition that friends certified, and when. */
export interface Certified {
  number: number;
  atMs: number;
}

/** Which transition is in force: even answers the owner's own address, odd the standby's. */
export interface ServiceStanding {
  number: number;
  onStandby: boolean;
  /** What put it there. */
  by: 'owner' | 'drill' | 'friends';
}

const isOdd = (number: number): boolean => number % 2 === 1;

/**
 * Who is answered now. The same records give the same answer on every box, at the same time but for their clocks; and
 * whatever comes, the number never falls. `reached`: the highest number that this box ever answered by; where less is known
 * than it once knew, because a record stands no more, what was agreed last stays.
 *
 * A pin of the owner counts before anything that friends certify. A rehearsal is one transition there, and one back when its
 * time is over, whether anybody is left to say so or not. A takeover that nobody ends is over after `maxMs`.
 */
export function serviceStanding(
  order: ServiceOrder,
  certified: Certified | undefined,
  { maxMs, reached }: { maxMs: number; reached: number },
  nowMs: number,
): ServiceStanding {
  const { pin, drill } = order;
  let { number } = order;
  let by: ServiceStanding['by'] = 'owner';
  if (drill !== undefined) {
    const first = isOdd(number) ? number + 1 : number;
    number = nowMs < drill.untilMs ? first + 1 : first + 2;
    by = 'drill';
  }
  if (certified !== undefined && certified.number > number) {
    const isOver = isOdd(certified.number) && nowMs >= certified.atMs + maxMs;
    number = isOver ? certified.number + 1 : certified.number;
    by = 'friends';
  }
  if (number < reached) {
    number = reached;
    by = 'friends';
  }
  if (pin !== 'obey' && isOdd(number) !== (pin === 'down')) number += 1;
  if (pin !== 'obey') by = 'owner';
  return { number, onStandby: isOdd(number), by };
}
