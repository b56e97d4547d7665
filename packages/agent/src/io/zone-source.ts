import type { DomainName, Zone, ZoneProblem } from '@copain/dns';
import { readZoneFile, watchZoneFile, type ZoneFile, type ZoneFileWatch } from '@copain/dns/io';

/** What a source says a zone is. `zone` is undefined where what it says is none. */
export interface SourceContent {
  zone: Zone | undefined;
  problems: readonly ZoneProblem[];
  /** `encodeZone` of the zone, where it is at hand. */
  content?: Uint8Array;
  /** Where the SOA stands. */
  soaAt?: Pick<ZoneProblem, 'file' | 'line' | 'column'> | undefined;
}

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
  /** What it says now; undefined where it said nothing yet. */
  read(): Promise<SourceContent | undefined>;
}

/** A master file and what it includes, watched. */
export function masterFileSource(options: {
  path: string;
  origin: DomainName;
  onChange: () => void;
}): ZoneSource {
  const { path, origin, onChange } = options;
  let watch: ZoneFileWatch | undefined;
  let found: ZoneFile | undefined;
  return {
    name: path,
    file: path,
    open: async () => {
      watch = await watchZoneFile({ path, onChange });
    },
    renew: async () => {},
    isCurrent: () => true,
    read: async () => {
      found = await readZoneFile({ path, origin, before: found });
      watch?.follow(found.files);
      return found;
    },
    [Symbol.asyncDispose]: async () => await watch?.[Symbol.asyncDispose](),
  };
}
