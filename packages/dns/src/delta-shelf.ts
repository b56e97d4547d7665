import { equalBytes } from '@copain/core';
import { deltasKeptBytesMax, deltasPerZoneMax } from './limits.ts';
import { encodeZoneDelta, joinDeltas, type ZoneDelta } from './zone-delta.ts';
import type { ZoneKey } from './zone-version.ts';

/** A step from one content of a zone to the next, known by the hashes of both. */
export interface DeltaStep {
  key: ZoneKey;
  from: Uint8Array;
  to: Uint8Array;
  delta: ZoneDelta;
}

/** The last steps of all zones, the oldest first: bounded in number for each zone and in octets for all. */
export type DeltaShelf = readonly DeltaStep[];

/**
 * The shelf with one step more. A step that is not smaller than half of the content it leads to (`sizeBytes`), or
 * larger than a friend takes, is not kept: the content itself is the better answer.
 */
export function shelveDelta(shelf: DeltaShelf, step: DeltaStep, sizeBytes: number): DeltaShelf {
  if (encodeZoneDelta(step.delta) === undefined || 2 * sizeOf(step) > sizeBytes) return shelf;
  const others = shelf.filter((one) => one.key !== step.key || !equalBytes(one.to, step.to));
  const ofZone = others.filter((one) => one.key === step.key);
  const spent = new Set(ofZone.slice(0, Math.max(0, ofZone.length + 1 - deltasPerZoneMax)));
  const kept = [...others.filter((one) => !spent.has(one)), step];
  let excess = kept.reduce((sum, one) => sum + sizeOf(one), 0) - deltasKeptBytesMax;
  let first = 0;
  for (; excess > 0; first++) excess -= sizeOf(kept[first] ?? step);
  return kept.slice(first);
}

const sizeOf = ({ delta }: DeltaStep): number => delta.removed.length + delta.added.length;

/**
 * What leads from one content of a zone to another, through as many steps as are known; undefined where they do not
 * reach that far back, or are too much together.
 */
export function deltaBetween(
  shelf: DeltaShelf,
  { key, from, to }: { key: ZoneKey; from: Uint8Array; to: Uint8Array },
): Uint8Array | undefined {
  const steps = shelf.filter((one) => one.key === key);
  let reached = to;
  let whole: ZoneDelta | undefined;
  // Each step is used once, so that a zone that went back to an older content ends the search too.
  for (let count = 0; count < steps.length; count++) {
    const step = steps.findLast((one) => equalBytes(one.to, reached));
    if (!step) return undefined;
    whole = whole ? joinDeltas(step.delta, whole) : step.delta;
    if (equalBytes(step.from, from)) return encodeZoneDelta(whole);
    reached = step.from;
  }
  return undefined;
}
