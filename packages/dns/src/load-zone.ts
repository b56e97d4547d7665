import { zoneBytesMax } from './limits.ts';
import { loadAgain, soaPlace, type ZoneReading } from './load-again.ts';
import { type MasterFileOptions, parseMasterFile, type ZoneProblem } from './master-file.ts';
import { readPieces } from './master-pieces.ts';
import type { Zone } from './zone.ts';
import { buildZone } from './zone-build.ts';
import { checkZone, recordsByName } from './zone-check.ts';
import { decodeRecords, encodeZone } from './zone-encoding.ts';

/** A zone from a master file, or none where an error forbids it; warnings may come with either. */
export interface LoadedZone {
  zone: Zone | undefined;
  problems: ZoneProblem[];
  /** `encodeZone` of the zone. */
  content?: Uint8Array;
  /** For reading the next version of the file. */
  reading?: ZoneReading;
  /** Where the SOA stands, for what is said about the serial later. */
  soaAt?: Pick<ZoneProblem, 'file' | 'line' | 'column'> | undefined;
}

/**
 * Reads a master file, checks the zone and builds it. Problems come in the order of the file's lines as far as they
 * have a line. A zone that comes out is one that friends can take: each record of its encoding has been read again.
 * `before` is what an earlier version of the same file gave; it changes nothing but how long this takes.
 */
export function loadZone(options: MasterFileOptions, before?: LoadedZone): LoadedZone {
  return (before && loadAgain(options, before)) ?? loadWhole(options);
}

function loadWhole(options: MasterFileOptions): LoadedZone {
  const { origin, file } = options;
  const pieces = readPieces(options);
  const parsed = pieces ? { records: [...pieces.fresh], problems: [] } : parseMasterFile(options);
  const byName = recordsByName(origin, parsed.records);
  const problems = [...parsed.problems, ...checkZone({ origin, file, records: parsed.records, byName })];
  if (problems.some(({ severity }) => severity === 'error')) return { zone: undefined, problems };
  const built = buildZone(origin, parsed.records);
  const at = built.kind === 'refused' && built.index !== undefined ? parsed.records[built.index] : undefined;
  const place = { file: at?.file ?? file, line: at?.line ?? 1, column: at?.column ?? 1 };
  if (built.kind === 'refused')
    return { zone: undefined, problems: [...problems, { severity: 'error', ...place, text: built.text }] };
  const content = encodeZone(built.zone);
  if (content.length <= zoneBytesMax && decodeRecords(content)) {
    const soaAt = soaPlace(byName.get(built.zone.originKey));
    const loaded = { zone: built.zone, problems, content, soaAt };
    return pieces ? { ...loaded, reading: { pieces: { ...pieces, fresh: [] }, byName } } : loaded;
  }
  const text = 'this zone is too large, or its encoding is ambiguous, so friends could not take it';
  return { zone: undefined, problems: [...problems, { severity: 'error', ...place, text }] };
}
