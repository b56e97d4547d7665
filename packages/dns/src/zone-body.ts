import { equalBytes } from '@copain/core';
import type { Sha256 } from './primary.ts';
import type { Zone } from './zone.ts';
import { decodeZone } from './zone-encoding.ts';
import type { ZoneVersion } from './zone-version.ts';

/** The zone in a body that was fetched or read from disk, or why it is not what its header says. */
export type OpenedZone =
  | { kind: 'zone'; zone: Zone }
  | { kind: 'altered'; why: 'size' | 'hash' | 'not-a-zone' | 'serial' };

/**
 * Holds a body against the header that the owner signed. Whoever delivered it need not be trusted: nothing but the
 * owner's content comes through. Called before a version is stored, and again when it is read back.
 */
export function openZoneBody(header: ZoneVersion, body: Uint8Array, sha256: Sha256): OpenedZone {
  if (body.length !== header.sizeBytes) return { kind: 'altered', why: 'size' };
  if (!equalBytes(sha256(body), header.contentHash)) return { kind: 'altered', why: 'hash' };
  const zone = decodeZone(body, header.origin);
  if (!zone) return { kind: 'altered', why: 'not-a-zone' };
  return zone.serial === header.serial ? { kind: 'zone', zone } : { kind: 'altered', why: 'serial' };
}
