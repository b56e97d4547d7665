import {
  type DomainName,
  isNewerSerial,
  type NameKey,
  type PrimaryState,
  type Zone,
  type ZoneProblem,
  type ZoneVersion,
} from '@copain/dns';
import type { ZoneConfig } from '../config-dns.ts';
import { forcedLeap } from '../zone-base.ts';
import type { PrimaryFact, PrimarySource } from './primary-source.ts';
import type { ZoneSource } from './zone-source.ts';

/** A zone of this box's owner, as it is worked on. */
export interface OwnZone {
  config: ZoneConfig;
  origin: DomainName;
  originKey: NameKey;
  state: PrimaryState;
  source: ZoneSource;
  primary: PrimarySource | undefined;
  zone: Zone | undefined;
  /** Of `zone`. */
  contentHash: Uint8Array | undefined;
  held: 'waiting' | 'behind' | undefined;
  /** The newest version, while its content is not here. */
  missing: ZoneVersion | undefined;
  isFetching: boolean;
  fetchAgainAtMs: number;
  /** When what could not be published is tried again; undefined while there is nothing. */
  readAgainAtMs: number | undefined;
  /** Reads come one after the other. */
  reading: Promise<void>;
  /** Resolves once the version on disk is answered, where there is one. */
  opened: Promise<void>;
}

/** A zone of our own as it stands. */
export interface OwnZoneFact {
  origin: string;
  serial: number | undefined;
  /** In the file as it was read last; undefined where it has mistakes. */
  fileSerial: number | undefined;
  /** The newest version that is known. */
  published: ZoneVersion | undefined;
  /** When friends stop answering if nothing changes from now on; undefined where nothing is published. */
  expiresAtMs: number | undefined;
  file: string | undefined;
  /** Where it comes from a hidden primary. */
  primary: PrimaryFact | undefined;
  problems: readonly ZoneProblem[];
  /** Why the file is not what is published; undefined where it is, or has mistakes. */
  held: 'waiting' | 'behind' | undefined;
}

/** What is told of the zone at this instant. */
export function factOf(zone: OwnZone, nowMs: number): OwnZoneFact {
  return {
    origin: zone.config.origin,
    serial: zone.zone?.serial,
    fileSerial: zone.state.fileSerial,
    published: zone.state.published,
    expiresAtMs: expiryOf(zone, nowMs),
    file: zone.source.file,
    primary: zone.primary?.fact(),
    problems: zone.state.problems,
    held: zone.state.problems.some(({ severity }) => severity === 'error') ? undefined : zone.held,
  };
}

/** From now on while this box says that it is current; else from when it last said so. */
function expiryOf({ zone, state, source }: OwnZone, nowMs: number): number | undefined {
  if (zone === undefined) return undefined;
  const saidAtMs = source.isCurrent() ? nowMs : (state.published?.atMs ?? nowMs);
  return saidAtMs + state.expiresAfterMs;
}

/** As if so many versions had been published already: see `forcedLeap`. */
export function leapt(state: PrimaryState, isLeap: boolean): PrimaryState {
  const { published } = state;
  if (!isLeap || published === undefined) return state;
  return { ...state, published: { ...published, sequence: published.sequence + forcedLeap } };
}

/** A primary whose serial is beyond the newest version knows more than whoever signed that, also after this box was restored. */
export function isAhead({ primary, state }: OwnZone, content: Zone): boolean {
  return primary !== undefined && isNewerSerial(content.serial, state.published?.serial ?? 0) === true;
}
