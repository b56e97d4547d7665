import { compareBytes } from '@copain/core';
import { compareZoneVersions, isNewerSerial, sameZoneVersion, type ZoneVersion, zoneKey } from '@copain/dns';
import type { Circle } from '../circle.ts';
import type { Checker, Report } from './checker.ts';

/**
 * At every box the serial of a zone only rises and its version never goes back, over restarts too; one serial is one
 * content everywhere; what is served is what its owner signed; no copy is served for longer than its owner allowed; in the
 * end every secondary serves the newest.
 */
export function checkZones(run: Circle, broken: Report): Checker {
  const counts = { zoneVersions: 0, zoneServes: 0 };
  const served = new Map<string, ZoneVersion>();
  const contents = new Map<string, Uint8Array>();
  const versions = new Set<string>();

  run.watch((box, seen, nowMs) => {
    if (seen.kind === 'zone-drop') served.delete(`${box.number} ${seen.key}`);
    if (seen.kind === 'zone-term') {
      const latestMs = box.clock.localMs(nowMs) + seen.header.expiresAfterMs;
      // A clock that was set back leaves a term that was right by the clock before.
      if (seen.freshUntilMs > latestMs + 4 * 3_600_000)
        broken('terms-end', `box ${box.number} would serve ${zoneKey(seen.header)} for longer than allowed`);
    }
    if (seen.kind !== 'zone-serve') return;
    const { header, contentHash } = seen;
    if (!seen.isStored)
      broken(
        'stored-before-served',
        `box ${box.number} serves version ${header.sequence}, which is not on its disk`,
      );
    counts.zoneServes += 1;
    versions.add(`${zoneKey(header)} ${header.epoch} ${header.sequence}`);
    const place = `${box.number} ${zoneKey(header)}`;
    const before = served.get(place);
    served.set(place, header);
    if (compareBytes(contentHash, header.contentHash) !== 0)
      broken(
        'content-is-the-owners',
        `box ${box.number} serves what the owner of ${zoneKey(header)} did not sign`,
      );
    const key = `${zoneKey(header)} ${header.serial}`;
    const known = contents.get(key);
    if (known === undefined) contents.set(key, header.contentHash);
    else if (compareBytes(known, header.contentHash) !== 0)
      broken('one-serial-one-content', `serial ${header.serial} of ${zoneKey(header)} has two contents`);
    if (before === undefined) return;
    if (compareZoneVersions(header, before) < 0)
      broken(
        'versions-only-rise',
        `box ${box.number} went from version ${before.sequence} to ${header.sequence}`,
      );
    if (header.serial !== before.serial && isNewerSerial(header.serial, before.serial) !== true)
      broken('serials-only-rise', `box ${box.number} went from serial ${before.serial} to ${header.serial}`);
  });

  return {
    atEnd: () => {
      counts.zoneVersions = versions.size;
      for (const owner of run.boxes) {
        const { owns, ownerId } = owner.person;
        const own = [...owner.zones.serving()].find(([, header]) => header.owner === ownerId);
        if (owns === undefined) continue;
        if (own === undefined) {
          broken('newest-is-served', `box ${owner.number} does not serve its own zone`);
          continue;
        }
        for (const number of owns.secondaries) {
          const box = run.box(number);
          if (!run.isIn(box) || !run.areFriends(owner, box)) continue;
          const there = box.zones.serving().get(own[0]);
          if (there === undefined || !sameZoneVersion(there, own[1]))
            broken(
              'newest-is-served',
              `box ${number} serves version ${there?.sequence} of ${own[1].sequence}`,
            );
        }
      }
    },
    figures: () => counts,
  };
}
