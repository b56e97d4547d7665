import { equalBytes } from '@copain/core';
import {
  cutFile,
  type DomainName,
  encodeZone,
  type FilesRead,
  mayBeHalfWritten,
  type Zone,
  type ZoneProblem,
} from '@copain/dns';
import { readZoneFile, watchZoneFile, type ZoneFile, type ZoneFileWatch } from '@copain/dns/io';
import type { SourceContent } from '../source-content.ts';

/** Where the content of a zone of one's own comes from. */
export interface ZoneSource extends AsyncDisposable {
  /** How messages call it. */
  readonly name: string;
  /** Absolute path of the master file, where it is one. */
  readonly file: string | undefined;
  /** Begins to look for changes. `published` is what is answered from at this moment. */
  open(published: Zone | undefined): Promise<void>;
  /** Looks again now, where it does not notice changes by itself; resolves when that is done. */
  renew(): Promise<void>;
  /** May what it said last still be called the newest? */
  isCurrent(): boolean;
  /**
   * What it says now; undefined where it said nothing yet, or is not to be taken yet: then there will be a change.
   * `asked`: somebody wants it as it is; `shown`: he only wants to see it.
   */
  read(why?: 'asked' | 'shown'): Promise<SourceContent | undefined>;
}

/** What looks half written is taken when it has been the same for so long. */
const settleMs = 2000;
/** From this size on it is worth the memory to keep how the files were read: their next version is then read by what changed. */
const keptFromBytes = 16_384;

/** A master file and what it includes, watched. */
export function masterFileSource(options: {
  path: string;
  origin: DomainName;
  onChange: () => void;
}): ZoneSource {
  const { path, origin, onChange } = options;
  let watch: ZoneFileWatch | undefined;
  let found: ZoneFile | undefined;
  /** What was taken last. */
  let taken: FilesRead | undefined;
  /** What looks half written, and since when it is so. */
  let suspect: { look: string; sinceMs: number } | undefined;
  let again: NodeJS.Timeout | undefined;
  let isWhole = false;

  /** How long what was read is still to be waited for; 0 where it may be taken. */
  const waitMs = (read: ZoneFile): number => {
    // A file that was renamed away may be about to be replaced.
    const isThere = read.digest !== undefined;
    if ((isWhole && isThere) || taken === undefined || !mayBeHalfWritten(taken, read)) return 0;
    const look = JSON.stringify([read.digest?.toString(), ...read.ends]);
    const nowMs = performance.now();
    if (suspect?.look !== look) suspect = { look, sinceMs: nowMs };
    return Math.max(0, suspect.sinceMs + settleMs - nowMs);
  };
  const take = (read: ZoneFile): ZoneFile => {
    suspect = undefined;
    const before = taken?.zone;
    const zone = read.zone && before && isSameZone(before, read) ? before : read.zone;
    taken = { ends: read.ends, zone: zone ?? before };
    const result = { ...read, zone };
    if (found === read) found = result;
    return result;
  };

  return {
    name: path,
    file: path,
    open: async (published) => {
      if (published !== undefined) taken = { ends: undefined, zone: published };
      watch = await watchZoneFile({
        path,
        onChange: (isWholeNow) => {
          isWhole = isWholeNow;
          onChange();
        },
      });
    },
    renew: async () => {},
    isCurrent: () => true,
    read: async (why) => {
      const read = await readZoneFile({ path, origin, before: found });
      found = sizeOf(read) < keptFromBytes ? undefined : read;
      watch?.follow(read.files);
      if (why === 'shown') return read;
      clearTimeout(again);
      if (why === 'asked') return take(read);
      const leftMs = waitMs(read);
      if (leftMs > 0) {
        again = setTimeout(onChange, leftMs + 1);
        again.unref();
        return undefined;
      }
      const cut = taken && !isWhole ? cutFile(taken, read) : undefined;
      return cut === undefined
        ? take(read)
        : { zone: undefined, problems: [...read.problems, cutShort(cut)] };
    },
    [Symbol.asyncDispose]: async () => {
      clearTimeout(again);
      await watch?.[Symbol.asyncDispose]();
    },
  };
}

const sizeOf = ({ ends }: ZoneFile): number =>
  [...ends.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** Most files say at the start what is answered from already: one zone in memory is enough. */
function isSameZone(before: Zone, { zone, content }: ZoneFile): boolean {
  if (zone === undefined || content === undefined || before === zone) return before === zone;
  return (
    before.serial === zone.serial &&
    before.nodes.size === zone.nodes.size &&
    equalBytes(encodeZone(before), content)
  );
}

function cutShort(file: string): ZoneProblem {
  const text =
    'the file stops in the middle of a line and lacks records that are published, so it was probably not written to its ' +
    'end; write it again, or end its last line where it is meant so';
  return { severity: 'error', file, line: 1, column: 1, text };
}
