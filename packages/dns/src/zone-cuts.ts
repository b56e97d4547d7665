import { type NameKey, parentKey } from './name.ts';
import { RecordType } from './record-types.ts';
import { rrsetOf, type Zone, type ZoneNode } from './zone.ts';

/** Is the zone the authority for this RRset, so that it signs it (RFC 4035 §2.2)? */
export function isToBeSigned(zone: Zone, node: ZoneNode, type: number): boolean {
  if (cutAbove(zone, node.key)) return false;
  const isCut = node !== zone.apex && rrsetOf(node, RecordType.NS) !== undefined;
  return !isCut || type === RecordType.DS || type === RecordType.NSEC;
}

/** Is there a delegation above this name, so that the zone is not the authority for it? */
export function cutAbove(zone: Zone, key: NameKey): boolean {
  for (let above = key; above !== zone.originKey; ) {
    above = parentKey(above);
    const node = zone.nodes.get(above);
    if (node && node !== zone.apex && rrsetOf(node, RecordType.NS)) return true;
  }
  return false;
}
