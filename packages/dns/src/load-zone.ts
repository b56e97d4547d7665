import { zoneBytesMax } from './limits.ts';
import { type MasterFileOptions, parseMasterFile, type ZoneProblem } from './master-file.ts';
import type { Zone } from './zone.ts';
import { buildZone } from './zone-build.ts';
import { checkZone } from './zone-check.ts';
import { decodeRecords, encodeZone } from './zone-encoding.ts';

/** A zone from a master file, or none where an error forbids it; warnings may come with either. */
export interface LoadedZone {
  zone: Zone | undefined;
  problems: ZoneProblem[];
}

/**
 * Reads a master file, checks the zone and builds it. Problems come in the order of the file's lines as far as they
 * have a line. A zone that comes out is one that friends can take: each record of its encoding has been read again.
 */
export function loadZone(options: MasterFileOptions): LoadedZone {
  const parsed = parseMasterFile(options);
  const problems = [
    ...parsed.problems,
    ...checkZone({ origin: options.origin, file: options.file, records: parsed.records }),
  ];
  if (problems.some(({ severity }) => severity === 'error')) return { zone: undefined, problems };
  const built = buildZone(options.origin, parsed.records);
  const at = built.kind === 'refused' && built.index !== undefined ? parsed.records[built.index] : undefined;
  const place = { file: at?.file ?? options.file, line: at?.line ?? 1, column: at?.column ?? 1 };
  if (built.kind === 'refused')
    return { zone: undefined, problems: [...problems, { severity: 'error', ...place, text: built.text }] };
  const encoded = encodeZone(built.zone);
  if (encoded.length <= zoneBytesMax && decodeRecords(encoded)) return { zone: built.zone, problems };
  const text = 'this zone is too large, or its encoding is ambiguous, so friends could not take it';
  return { zone: undefined, problems: [...problems, { severity: 'error', ...place, text }] };
}
