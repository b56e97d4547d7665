import { equalBytes } from '@copain/core';
import { expiresAfterDefaultMs, stillCurrentEveryMs, zoneBytesMax } from './limits.ts';
import { formatProblem, type ZoneProblem } from './master-file.ts';
import { type DomainName, lowerName, sameName } from './name.ts';
import { RecordType } from './record-types.ts';
import type { Zone } from './zone.ts';
import { contentWithSerial, encodeZone, nodeRecords } from './zone-encoding.ts';
import { patchZone } from './zone-patch.ts';
import { addToSerial, isNewerSerial } from './zone-serial.ts';
import type { ZoneVersion } from './zone-version.ts';

/** SHA-256 as a port. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** The owner's side of one zone: what was published last, and what is wrong with the file now. */
export interface PrimaryState {
  readonly owner: string;
  readonly origin: DomainName;
  readonly expiresAfterMs: number;
  readonly published: ZoneVersion | undefined;
  /** Hash of the published content with its serial taken as zero: did anything but the serial change? */
  readonly bareHash: Uint8Array | undefined;
  /** Errors and warnings of the file as last read; with an error among them the file is not the published version. */
  readonly problems: readonly ZoneProblem[];
  /** The serial that stands in the file as it was read last in this run; undefined before, and where it is no zone. */
  readonly fileSerial: number | undefined;
}

/** The file was read, at start or after a change. `zone` is undefined where it is none; `epoch` is the owner's. */
export interface PrimaryInput {
  kind: 'file';
  file: string;
  problems: readonly ZoneProblem[];
  zone: Zone | undefined;
  /** `encodeZone` of it, where it is at hand. */
  content?: Uint8Array | undefined;
  /** Where the SOA stands, for what is said about its serial; by default at the top of `file`. */
  soaAt?: { file: string; line: number; column: number } | undefined;
  epoch: number;
}

/**
 * What is to be done, in order. `publish`: store durably, then sign, serve and announce. `problem`: the problems are now
 * these (none: they are gone); with an error among them the version published before stays. `note`: tell the owner what
 * was done for him.
 */
export type PrimaryEffect =
  | { kind: 'publish'; header: ZoneVersion; body: Uint8Array; zone: Zone }
  | { kind: 'problem'; problems: readonly ZoneProblem[] }
  | { kind: 'note'; text: string };

/** The state at start; `published` is what was stored by the last run, if anything, and was checked as it was read. */
export function startPrimaryState(
  options: {
    owner: string;
    origin: DomainName;
    expiresAfterMs?: number;
    published?: { header: ZoneVersion; body: Uint8Array } | undefined;
  },
  sha256: Sha256,
): PrimaryState {
  const { published } = options;
  return {
    owner: options.owner,
    origin: lowerName(options.origin),
    expiresAfterMs: options.expiresAfterMs ?? expiresAfterDefaultMs,
    published: published?.header,
    bareHash: published && sha256(contentWithSerial(published.body, 0)),
    problems: [],
    fileSerial: undefined,
  };
}

/**
 * Decides what a newly read file means. The same content means nothing; an error never replaces a good version; a
 * serial that was not raised, or was set back, is raised here where no signature forbids it.
 */
export function stepPrimary(
  state: PrimaryState,
  input: PrimaryInput,
  nowMs: number,
  sha256: Sha256,
): [PrimaryState, PrimaryEffect[]] {
  const [next, effects] = stepRead(state, input, nowMs, sha256);
  return [{ ...next, fileSerial: input.zone?.serial }, effects];
}

function stepRead(
  state: PrimaryState,
  input: PrimaryInput,
  nowMs: number,
  sha256: Sha256,
): [PrimaryState, PrimaryEffect[]] {
  const { zone, problems } = input;
  if (!zone || problems.some(({ severity }) => severity === 'error')) return refuse(state, problems);
  if (!sameName(zone.origin, state.origin))
    return refuse(state, [...problems, mistake(input, 'this is another zone')]);
  const content = input.content ?? encodeZone(zone);
  const bareHash = sha256(contentWithSerial(content, 0));
  const last = state.published;
  const raised = last === undefined || isNewerSerial(zone.serial, last.serial) === true;
  const unchanged =
    last !== undefined && state.bareHash !== undefined && equalBytes(bareHash, state.bareHash);
  // Under a later epoch everything is signed anew, and its numbers begin anew: whatever was signed under an earlier one,
  // by a box that is no longer the owner's, is older.
  const risen = last !== undefined && input.epoch > last.epoch;
  if (unchanged && zone.soa.signatures.length > 0 && zone.serial !== last.serial) {
    const text =
      `the SOA serial is ${zone.serial} and was ${last.serial} when the zone was signed with DNSSEC, so its signature ` +
      'no longer fits; sign the zone again, do not edit the serial of a signed file';
    return refuse(state, [...problems, mistake(input, text)]);
  }
  if (unchanged && !raised && !risen) {
    const isNews = state.fileSerial !== undefined && state.fileSerial !== zone.serial;
    const notes = isNews && zone.serial !== last.serial ? [notRaised(input, zone.serial, last.serial)] : [];
    return [{ ...state, problems }, [...changedProblems(state, problems), ...notes]];
  }
  if (!raised && !unchanged && zone.signed) {
    const text =
      `the content changed, but the SOA serial ${zone.serial} is not newer than the published ${last.serial}; ` +
      'the zone is signed with DNSSEC, so raise the serial and sign it again';
    return refuse(state, [...problems, mistake(input, text)]);
  }
  const same = unchanged && !raised ? withSerialOf(zone, last.serial) : undefined;
  const served = raised ? zone : (same ?? withSerial(zone, addToSerial(last.serial, 1)));
  const body = contentWithSerial(content, served.serial);
  if (body.length > zoneBytesMax) {
    return refuse(state, [...problems, mistake(input, `the zone is larger than ${zoneBytesMax} octets`)]);
  }
  const header: ZoneVersion = {
    owner: state.owner,
    origin: state.origin,
    serial: served.serial,
    epoch: Math.max(input.epoch, last?.epoch ?? 0),
    sequence: risen ? 1 : (last?.sequence ?? 0) + 1,
    contentHash: sha256(body),
    previousHash: last?.contentHash ?? new Uint8Array(32),
    sizeBytes: body.length,
    expiresAfterMs: state.expiresAfterMs,
    atMs: nowMs,
  };
  const effects: PrimaryEffect[] = [
    { kind: 'publish', header, body, zone: served },
    ...changedProblems(state, problems),
  ];
  if (!raised && same === undefined) effects.push(notRaised(input, zone.serial, last.serial, served.serial));
  return [{ ...state, published: header, bareHash, problems }, effects];
}

/**
 * The published version with a fresh date, to be signed and announced: "this is still my newest". Its content is what
 * friends have, so they fetch nothing. Undefined while the last one is younger than six hours, by a clock that may also
 * have been set back.
 */
export function stillCurrent({ published }: PrimaryState, nowMs: number): ZoneVersion | undefined {
  if (!published || Math.abs(nowMs - published.atMs) < stillCurrentEveryMs) return undefined;
  const { sequence, contentHash } = published;
  return { ...published, sequence: sequence + 1, previousHash: contentHash, atMs: nowMs };
}

function refuse(state: PrimaryState, problems: readonly ZoneProblem[]): [PrimaryState, PrimaryEffect[]] {
  return [{ ...state, problems }, changedProblems(state, problems)];
}

/** Reading the same mistakes again is no news; that they are gone is. */
function changedProblems(state: PrimaryState, problems: readonly ZoneProblem[]): PrimaryEffect[] {
  const same = problems.map(formatProblem).join('\n') === state.problems.map(formatProblem).join('\n');
  return same ? [] : [{ kind: 'problem', problems }];
}

function mistake({ file, soaAt }: PrimaryInput, text: string): ZoneProblem {
  return { severity: 'error', ...(soaAt ?? { file, line: 1, column: 1 }), text };
}

/** Secondaries and resolvers never take a serial that is not newer than the one they have (RFC 1034 §4.3.5, RFC 1982). */
function notRaised(
  { file }: PrimaryInput,
  serial: number,
  published: number,
  served = published,
): PrimaryEffect {
  const text =
    `the SOA serial ${serial} in ${file} is not newer than the published ${published}; serving ${served}, ` +
    `since serials only rise. To be in step with the file again, write ${addToSerial(served, 1)} or higher.`;
  return { kind: 'note', text };
}

/**
 * What publishing a file now would say about its serial, without doing it: the mistakes that the zone has beside those of
 * the file alone, and a warning in place of each note. For whoever checks a file before he saves it as his zone's.
 */
export function serialProblems(state: PrimaryState, input: PrimaryInput, sha256: Sha256): ZoneProblem[] {
  const unread = { ...state, problems: [], fileSerial: state.published?.serial };
  const [{ problems }, effects] = stepPrimary(unread, input, 0, sha256);
  const notes = effects.flatMap((effect) => (effect.kind === 'note' ? [effect.text] : []));
  return [
    ...problems.filter((problem) => !input.problems.includes(problem)),
    ...notes.map((text): ZoneProblem => ({ ...mistake(input, text), severity: 'warning' })),
  ];
}

/** The zone with the serial that is served already, which a signed zone has of itself. */
const withSerialOf = (zone: Zone, serial: number): Zone =>
  zone.serial === serial ? zone : withSerial(zone, serial);

/** The same zone with another serial in its SOA (RFC 1035 §3.3.13). Only for zones without signatures. */
export function withSerial(zone: Zone, serial: number): Zone {
  const records = nodeRecords(zone.apex).map((record) => {
    if (record.type !== RecordType.SOA) return record;
    const rdata = record.rdata.slice();
    new DataView(rdata.buffer).setUint32(rdata.length - 20, serial);
    return { ...record, rdata };
  });
  const built = patchZone(zone, new Map([[zone.originKey, { owner: zone.origin, records }]]));
  if (built.kind === 'refused')
    throw new Error(`a zone stopped being one with another serial: ${built.text}`);
  return built.zone;
}
