import { compareZoneVersions, type ZoneKey, type ZoneVersion, zoneKey } from '@copain/dns';

/** The envelopes by which versions were announced that are not served yet. */
export interface AnnouncedVersions {
  add(header: ZoneVersion, envelope: Uint8Array): void;
  envelopeOf(header: ZoneVersion): Uint8Array | undefined;
  /** Drops those of this zone up to this version, which is served now. */
  forgetUpTo(header: ZoneVersion): void;
  /** Drops those of this zone that were passed over: a busy owner announces many that nobody ever fetches. */
  keepOnly(key: ZoneKey, isNeeded: (header: ZoneVersion) => boolean): void;
  /** How many of this zone there are. */
  count(key: ZoneKey): number;
}

/** `nameOf` tells versions apart. */
export function announcedVersions(nameOf: (header: ZoneVersion) => string): AnnouncedVersions {
  const zones = new Map<ZoneKey, Map<string, { header: ZoneVersion; envelope: Uint8Array }>>();
  const dropWhere = (key: ZoneKey, isToGo: (header: ZoneVersion) => boolean): void => {
    const versions = zones.get(key);
    for (const [name, { header }] of versions ?? []) if (isToGo(header)) versions?.delete(name);
    if (versions?.size === 0) zones.delete(key);
  };
  return {
    add: (header, envelope) => {
      const versions = zones.get(zoneKey(header)) ?? new Map();
      zones.set(zoneKey(header), versions.set(nameOf(header), { header, envelope }));
    },
    envelopeOf: (header) => zones.get(zoneKey(header))?.get(nameOf(header))?.envelope,
    forgetUpTo: (header) => dropWhere(zoneKey(header), (other) => compareZoneVersions(other, header) <= 0),
    keepOnly: (key, isNeeded) => dropWhere(key, (header) => !isNeeded(header)),
    count: (key) => zones.get(key)?.size ?? 0,
  };
}
