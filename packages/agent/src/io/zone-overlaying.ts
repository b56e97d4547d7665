import type { Clock } from '@copain/core';
import { type NameKey, overlayZone, type ServedZone, type Zone } from '@copain/dns';
import { originText } from '../known-records.ts';
import type { ZoneOverlay } from '../known-services.ts';
import type { EventLog } from './event-log.ts';
import type { ZoneOfContent } from './transfer-journal.ts';

type Answered = ServedZone & ZoneOfContent & { owner: string };

/** Zones as they are answered while friends stand in for some of their names. */
export interface ZoneOverlaying {
  overlay: (ownerId: string, origin: string) => ZoneOverlay | undefined;
  /**
   * These zones as they are answered now. `untransferable`: those in which a signature covers the serial, so that a
   * secondary by transfer would never learn that they are as ever again.
   */
  answered(zones: readonly Answered[]): { served: Answered[]; untransferable: NameKey[] };
  /** The serial that is answered; undefined where the zone is not. */
  serial(ownerId: string, origin: string): number | undefined;
  /** What the owner says. */
  content(ownerId: string, origin: string): Zone | undefined;
  /** Is something answered by signatures that may have expired meanwhile? */
  isStale(): boolean;
}

/** Signatures are looked at again this often. */
const signaturesEveryMs = 600_000;

/** One zone answered in one way is one object: whoever keeps something by it need not look at its records. */
export function zoneOverlaying(options: {
  overlay: ZoneOverlaying['overlay'];
  clock: Clock;
  events: EventLog;
}): ZoneOverlaying {
  const { clock, events } = options;
  const made = new WeakMap<
    Zone,
    { overlay: ZoneOverlay; lookedAtMs: number; zone: Zone; isOverlaid: boolean }
  >();
  let now = new Map<string, { content: Zone; served: Zone; lookedAtMs: number | undefined }>();
  const told = new Set<string>();

  const overlaid = (content: Zone, overlay: ZoneOverlay) => {
    const known = made.get(content);
    const nowMs = clock.nowMs();
    const isCurrent =
      known?.overlay === overlay && (!content.signed || nowMs - known.lookedAtMs < signaturesEveryMs);
    if (isCurrent) return known;
    const { zone, refused } = overlayZone(content, { ...overlay, nowS: Math.floor(nowMs / 1000) });
    for (const { record, text } of refused) {
      if (told.has(text)) continue;
      told.add(text);
      events.add('takeover.refused', `${record} is answered as ever, and not by its standby: ${text}.`);
    }
    const isOverlaid = zone.signed && overlay.names.length > refused.length;
    const next = { overlay, lookedAtMs: nowMs, zone, isOverlaid };
    made.set(content, next);
    return next;
  };

  return {
    overlay: options.overlay,
    answered: (zones) => {
      const untransferable: NameKey[] = [];
      const next: typeof now = new Map();
      const served = zones.map((one): Answered => {
        const origin = originText(one.zone.origin);
        const overlay = options.overlay(one.owner, origin);
        const isPlain = overlay === undefined || (overlay.steps === 0 && overlay.names.length === 0);
        const result = isPlain ? undefined : overlaid(one.zone, overlay);
        const zone = result?.zone ?? one.zone;
        if (result?.isOverlaid) untransferable.push(zone.originKey);
        const lookedAtMs = result?.isOverlaid ? result.lookedAtMs : undefined;
        next.set(`${one.owner}/${origin}`, { content: one.zone, served: zone, lookedAtMs });
        return zone === one.zone ? one : { ...one, zone, contentHash: undefined };
      });
      now = next;
      return { served, untransferable };
    },
    serial: (ownerId, origin) => now.get(`${ownerId}/${origin}`)?.served.serial,
    content: (ownerId, origin) => now.get(`${ownerId}/${origin}`)?.content,
    isStale: () =>
      [...now.values()].some(
        ({ lookedAtMs }) => lookedAtMs !== undefined && clock.nowMs() - lookedAtMs >= signaturesEveryMs,
      ),
  };
}
