import { offerItemsMax, offerMaxBytes } from './limits.ts';
import type { HeldMessage } from './spool.ts';

/** What decides who goes first. */
interface Ranked {
  sizeBytes: number;
  receivedAtMs: number;
}

const smallBytes = 64 * 1024;

/** 0 up to 64 KiB, then one more for every factor of four. */
function sizeClass(sizeBytes: number): number {
  return Math.max(0, Math.ceil(Math.log2(Math.max(1, sizeBytes) / smallBytes) / 2));
}

/**
 * Small before large, within a class of size old before new: over a home uplink a hundred short mails arrive before the
 * one with the video, and nobody's order in time is turned round for a few kilobytes.
 */
export function smallAndOldFirst(a: Ranked, b: Ranked): number {
  return sizeClass(a.sizeBytes) - sizeClass(b.sizeBytes) || a.receivedAtMs - b.receivedAtMs;
}

/** What to offer an owner now, in order; as much as one offer takes. */
export function nextOffer(messages: Iterable<HeldMessage>, ownerId: string, nowMs: number): HeldMessage[] {
  const due = [...messages].filter(
    (message) => message.ownerId === ownerId && message.state === 'held' && message.notBeforeMs <= nowMs,
  );
  due.sort(smallAndOldFirst);
  let offerBytes = 0;
  const fits = due.slice(0, offerItemsMax).findIndex((message) => {
    offerBytes += 128 + message.tags.length * 18;
    return offerBytes > offerMaxBytes;
  });
  return due.slice(0, fits < 0 ? offerItemsMax : Math.max(1, fits));
}

/** When something that waits for this owner may be offered again; undefined where nothing waits. */
export function nextOfferAtMs(messages: Iterable<HeldMessage>, ownerId: string): number | undefined {
  let earliest: number | undefined;
  for (const message of messages) {
    if (message.ownerId !== ownerId || message.state !== 'held') continue;
    if (earliest === undefined || message.notBeforeMs < earliest) earliest = message.notBeforeMs;
  }
  return earliest;
}
