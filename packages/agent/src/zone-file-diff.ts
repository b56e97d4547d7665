import { diffZones, type Zone, type ZoneDiff, type ZoneProblem } from '@copain/dns';
import type { SourceContent } from './source-content.ts';

/** The file of a zone beside what is published: records as lines of a master file. */
export interface FileDiff extends ZoneDiff {
  file: string;
  /** In the file; undefined where it has mistakes. */
  fileSerial: number | undefined;
  publishedSerial: number;
  problems: readonly ZoneProblem[];
}

/** What pushing this content would take away from the published zone and put in. `name`: how messages call its source. */
export function zoneFileDiff(published: Zone, name: string, { zone, problems }: SourceContent): FileDiff {
  // A serial that copain may raise by itself is no difference.
  const { removed, added } =
    zone === undefined ? { removed: [], added: [] } : diffZones(published, zone, { withSerial: zone.signed });
  return {
    file: name,
    fileSerial: zone?.serial,
    publishedSerial: published.serial,
    problems,
    removed,
    added,
  };
}
