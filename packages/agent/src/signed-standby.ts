import { equalBytes, isoTime } from '@copain/core';
import {
  type DomainName,
  formatProblem,
  nameKey,
  overlayFault,
  overlayZone,
  parseMasterFile,
  RecordType,
  signatureLife,
  signedSetFault,
  type VerifySignature,
  type Zone,
} from '@copain/dns';
import type { StandbySet } from '@copain/trust';

/** What an owner's signer made of the standby's records, or what is wrong with it. */
export type SignedStandby =
  | { kind: 'sets'; sets: StandbySet[]; ttlS: number }
  | { kind: 'problem'; text: string };

/**
 * Finds the records of a name, and the signatures over them, in a master file: the zone as it would be with the standby's
 * address, signed by its own signer, or those records alone. They must be what the service names as its standby (`wanted`),
 * since a file is easily taken for another. `ttlS` is at most what was signed.
 */
export function readSignedStandby(
  { text, file }: { text: string; file: string },
  {
    origin,
    record,
    wanted,
    ttlS,
  }: { origin: DomainName; record: DomainName; wanted: readonly StandbySet[]; ttlS: number },
): SignedStandby {
  const read = parseMasterFile({ text, file, origin, defaultTtl: ttlS });
  const wrong = read.problems.find(({ severity }) => severity === 'error');
  if (wrong !== undefined) return { kind: 'problem', text: formatProblem(wrong) };
  const key = nameKey(record);
  const mine = read.records.filter(({ owner }) => nameKey(owner) === key);
  const lowest = Math.min(
    ttlS,
    ...mine.filter(({ type }) => type !== RecordType.RRSIG).map(({ ttl }) => ttl),
  );
  const sets = wanted.map(({ type, data }): StandbySet => {
    const found = mine.filter((one) => one.type === type).map(({ rdata }) => rdata);
    const isWanted =
      found.length === data.length && data.every((one) => found.some((other) => equalBytes(one, other)));
    const signatures = mine
      .filter(
        (one) => one.type === RecordType.RRSIG && (one.rdata[0] ?? 0) * 256 + (one.rdata[1] ?? 0) === type,
      )
      .map(({ rdata }) => rdata);
    return { type, data, signatures: isWanted ? signatures : [] };
  });
  if (sets.every(({ signatures }) => signatures.length > 0)) return { kind: 'sets', sets, ttlS: lowest };
  return {
    kind: 'problem',
    text: `${file}: these are not the standby's records at that name, each with an RRSIG`,
  };
}

/**
 * Why validators would refuse the standby's records in this zone now; undefined where they would not. Looks at the signatures
 * themselves, which the boxes that answer do not.
 */
export function standbyFault(
  content: Zone,
  {
    record,
    name,
    sets,
    ttlS,
  }: { record: string; name: DomainName; sets: readonly StandbySet[]; ttlS: number },
  { nowMs, verify }: { nowMs: number; verify: VerifySignature },
): string | undefined {
  const nowS = Math.floor(nowMs / 1000);
  const overlay = { record, ttlS, sets };
  const fault = overlayFault(content, overlay, nowS);
  if (fault !== undefined || !content.signed) return fault;
  const { zone } = overlayZone(content, { steps: 0, names: [overlay], nowS });
  for (const { type } of sets) {
    const wrong = signedSetFault(zone, { name: nameKey(name), type }, { nowMs, verify });
    if (wrong !== undefined) return `the standby's record of ${record} ${wrong}`;
  }
  return undefined;
}

/** When the first of the signatures ceases to count; undefined where there are none. */
export function signedUntilMs(sets: readonly StandbySet[]): number | undefined {
  const ends = sets.map(({ signatures }) =>
    Math.max(...signatures.map((rdata) => signatureLife(rdata).expirationS * 1000)),
  );
  const first = Math.min(...ends);
  return Number.isFinite(first) ? first : undefined;
}

/** A line about it for the owner. */
export function signedUntilText(untilMs: number): string {
  return `its signatures count until ${isoTime(untilMs).slice(0, 10)}: sign the standby's records again before, and reload`;
}
