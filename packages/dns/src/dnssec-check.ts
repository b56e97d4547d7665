import { concatBytes } from '@copain/core';
import { checkChildRecords, type DsDigest } from './child-records-check.ts';
import type { Sha1 } from './denial.ts';
import { checkDenial } from './denial-check.ts';
import { keyTagOf } from './key-tag.ts';
import { keysPerSignatureMax, problemsMax } from './limits.ts';
import type { ZoneProblem } from './master-file.ts';
import { type NameKey, nameKey, nameToText, readName } from './name.ts';
import { canonicalRdata } from './rdata-wire.ts';
import { classIn, RecordType, typeToText } from './record-types.ts';
import { type RRset, rrsetOf, type Zone, type ZoneNode } from './zone.ts';
import { isToBeSigned } from './zone-cuts.ts';

/** Does the signature over these octets hold? Undefined for an algorithm that is not known. `publicKey` as in a DNSKEY. */
export type VerifySignature = (
  key: { algorithm: number; publicKey: Uint8Array },
  data: Uint8Array,
  signature: Uint8Array,
) => boolean | undefined;

export interface SignatureCheck {
  nowMs: number;
  verify: VerifySignature;
  sha1: Sha1;
  digest: DsDigest;
  /** Where the first record of this type stands at this name. */
  placeOf: (key: NameKey, type: number) => Pick<ZoneProblem, 'file' | 'line' | 'column'>;
}

interface Signature {
  algorithm: number;
  labels: number;
  originalTtl: number;
  expiresS: number;
  beginsS: number;
  keyTag: number;
  signer: NameKey;
  /** What comes before the signature itself, names in canonical form. */
  head: Uint8Array;
  octets: Uint8Array;
}

interface ZoneSigningKey {
  tag: number;
  /** Has it the flag of a key that the zone above points to (RFC 4034 §2.1.1)? */
  isEntryPoint: boolean;
  algorithm: number;
  publicKey: Uint8Array;
}

/**
 * What validators would find wrong in a signed zone: RRsets without a signature that holds now, and names that nothing
 * denies (RFC 4035 §2, RFC 5155 §7.1). Empty for a zone that is not signed. Whether the zone above has the fitting DS is
 * not looked at. Takes about 0.1 ms of processor time for each RRset, so it is for tools, not for the agent.
 */
export function checkSignatures(zone: Zone, check: SignatureCheck): ZoneProblem[] {
  if (!zone.signed) return [];
  const problems: ZoneProblem[] = [];
  const note = (
    key: NameKey,
    type: number,
    text: string,
    severity: ZoneProblem['severity'] = 'error',
  ): void => {
    if (problems.length > problemsMax) return;
    const isLast = problems.length === problemsMax;
    problems.push({
      severity,
      ...check.placeOf(key, type),
      text: isLast ? 'from here on more is not told' : text,
    });
  };
  const keys = signingKeys(zone);
  const top = zone.originKey;
  if (keys.length === 0) {
    note(
      top,
      RecordType.SOA,
      'the zone has signatures, and no DNSKEY record at its top that they could be by',
    );
    return problems;
  }
  for (const node of [...zone.nodes.values(), ...zone.hashed.values()]) {
    for (const rrset of node.rrsets) {
      if (!isToBeSigned(zone, node, rrset.type)) continue;
      const wrong = whyNotValid(zone, node, rrset, { keys, check });
      const odd = wrong === undefined ? whatIsOdd(zone, node, rrset, { keys, check }) : undefined;
      const what = `${typeToText(rrset.type)} of ${nameToText(node.name)}`;
      if (wrong !== undefined) note(node.key, rrset.type, `${what} ${wrong}`);
      if (odd !== undefined) note(node.key, rrset.type, `${what} ${odd}`, 'warning');
    }
  }
  if (!isEntered(zone, keys, check))
    note(
      top,
      RecordType.DNSKEY,
      'no key with the flag of an entry point (257) has signed the DNSKEY records: a DS of it leads nowhere',
    );
  for (const algorithm of new Set(keys.map((key) => key.algorithm))) {
    if (rrsetOf(zone.apex, RecordType.SOA)?.signatures.some((rdata) => rdata[2] === algorithm)) continue;
    note(
      top,
      RecordType.DNSKEY,
      `the zone has a DNSKEY of algorithm ${algorithm} and is not signed with it (RFC 4035 §2.2)`,
      'warning',
    );
  }
  checkDenial(zone, check.sha1, note);
  checkChildRecords(zone, check.digest, (type, severity, text) => note(top, type, text, severity));
  return problems;
}

/**
 * What a validator would find wrong with one RRset of a signed zone, as the end of a sentence about it; undefined where
 * nothing is, and where there is no such set.
 */
export function signedSetFault(
  zone: Zone,
  { name, type }: { name: NameKey; type: number },
  check: Pick<SignatureCheck, 'nowMs' | 'verify'>,
): string | undefined {
  const node = zone.nodes.get(name);
  const rrset = node && rrsetOf(node, type);
  return node && rrset && whyNotValid(zone, node, rrset, { keys: signingKeys(zone), check });
}

function whyNotValid(
  zone: Zone,
  node: ZoneNode,
  rrset: RRset,
  { keys, check }: { keys: readonly ZoneSigningKey[]; check: Pick<SignatureCheck, 'nowMs' | 'verify'> },
): string | undefined {
  if (rrset.signatures.length === 0) return 'is not signed';
  let why: string | undefined;
  for (const rdata of rrset.signatures) {
    const signature = readSignature(rdata);
    const wrong = signature
      ? whyNotBy(signature, { zone, node, rrset, keys, check })
      : 'has a signature that cannot be read';
    if (wrong === undefined) return undefined;
    why ??= wrong;
  }
  return why;
}

/** Is there a way in: a key that a DS is made for has signed the keys (RFC 4035 §5.2)? Also where no key is marked as one. */
function isEntered(
  zone: Zone,
  keys: readonly ZoneSigningKey[],
  check: Pick<SignatureCheck, 'nowMs' | 'verify'>,
): boolean {
  const entries = keys.filter(({ isEntryPoint }) => isEntryPoint);
  const rrset = rrsetOf(zone.apex, RecordType.DNSKEY);
  if (entries.length === 0 || !rrset || rrset.signatures.length === 0) return true;
  return whyNotValid(zone, zone.apex, rrset, { keys: entries, check }) === undefined;
}

/**
 * What validators forgive in an RRset that has a signature which holds: a TTL below the one that was signed (RFC 4034 §3.1.4),
 * or one more signature, by a key of the zone, that does not hold. Signatures by keys that are not there yet, or no more, are a
 * part of changing keys.
 */
function whatIsOdd(
  zone: Zone,
  node: ZoneNode,
  rrset: RRset,
  { keys, check }: { keys: readonly ZoneSigningKey[]; check: Pick<SignatureCheck, 'nowMs' | 'verify'> },
): string | undefined {
  const signatures = rrset.signatures.flatMap((rdata) => readSignature(rdata) ?? []);
  const higher = signatures.find(({ originalTtl }) => rrset.ttl < originalTtl);
  if (higher) return `has the TTL ${rrset.ttl}, and was signed with ${higher.originalTtl}`;
  if (signatures.length < 2) return undefined;
  return signatures
    .filter(({ keyTag, algorithm }) => keys.some((key) => key.tag === keyTag && key.algorithm === algorithm))
    .map((signature) => whyNotBy(signature, { zone, node, rrset, keys, check }))
    .find((wrong) => wrong !== undefined);
}

function whyNotBy(
  signature: Signature,
  {
    zone,
    node,
    rrset,
    keys,
    check,
  }: {
    zone: Zone;
    node: ZoneNode;
    rrset: RRset;
    keys: readonly ZoneSigningKey[];
    check: Pick<SignatureCheck, 'nowMs' | 'verify'>;
  },
): string | undefined {
  const { keyTag, algorithm } = signature;
  const by = `by key ${keyTag}`;
  if (signature.signer !== zone.originKey) return `has a signature ${by} of another zone`;
  if (signature.labels !== labelsOf(node)) return `has a signature ${by} that is for another name`;
  if (rrset.ttl > signature.originalTtl)
    return `has the TTL ${rrset.ttl}, and was signed with ${signature.originalTtl}`;
  const nowS = Math.floor(check.nowMs / 1000);
  // Times are serial numbers (RFC 4034 §3.1.5).
  if (((signature.expiresS - nowS) | 0) < 0) return `has a signature ${by} that has expired`;
  if (((nowS - signature.beginsS) | 0) < 0) return `has a signature ${by} that is not valid yet`;
  const fitting = keys.filter((key) => key.tag === keyTag && key.algorithm === algorithm);
  if (fitting.length === 0)
    return `has a signature ${by} of algorithm ${algorithm}, which is no DNSKEY of the zone`;
  const data = signedOctets(node, rrset, signature);
  const verdicts = fitting
    .slice(0, keysPerSignatureMax)
    .map((key) => check.verify(key, data, signature.octets));
  // A validator that does not know an algorithm takes the zone for unsigned (RFC 4035 §5.2).
  if (verdicts.some((holds) => holds !== false)) return undefined;
  return `has a signature ${by} that does not hold: the records are not those that were signed, or the key is not that one`;
}

/** RFC 4034 §3.1.8.1. The RRset is in canonical order already. */
function signedOctets(node: ZoneNode, rrset: RRset, signature: Signature): Uint8Array {
  const owner = canonicalRdata(RecordType.NS, node.name);
  const parts: Uint8Array[] = [signature.head];
  for (const rdata of rrset.rdatas) {
    const canonical = canonicalRdata(rrset.type, rdata);
    const fixed = new Uint8Array(10);
    const view = new DataView(fixed.buffer);
    view.setUint16(0, rrset.type);
    view.setUint16(2, classIn);
    view.setUint32(4, signature.originalTtl);
    view.setUint16(8, canonical.length);
    parts.push(owner, fixed, canonical);
  }
  return concatBytes(...parts);
}

/** Labels without the root and a leading asterisk (RFC 4034 §3.1.3). */
function labelsOf({ name }: ZoneNode): number {
  let count = 0;
  for (let at = 0; (name[at] ?? 0) > 0; at += 1 + (name[at] ?? 0)) count++;
  return name[0] === 1 && name[1] === 0x2a ? count - 1 : count;
}

function readSignature(rdata: Uint8Array): Signature | undefined {
  const signer = rdata.length > 18 ? readName(rdata, 18) : undefined;
  if (!signer) return undefined;
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength);
  const canonical = canonicalRdata(RecordType.RRSIG, rdata);
  return {
    algorithm: view.getUint8(2),
    labels: view.getUint8(3),
    originalTtl: view.getUint32(4),
    expiresS: view.getUint32(8),
    beginsS: view.getUint32(12),
    keyTag: view.getUint16(16),
    signer: nameKey(signer.name),
    head: canonical.subarray(0, signer.next),
    octets: rdata.subarray(signer.next),
  };
}

/** Keys that may sign a zone's data: zone keys of protocol 3 (RFC 4034 §2.1) that are not revoked (RFC 5011 §2.1). */
function signingKeys(zone: Zone): ZoneSigningKey[] {
  const rdatas = rrsetOf(zone.apex, RecordType.DNSKEY)?.rdatas ?? [];
  return rdatas.flatMap((rdata) => {
    const flags = ((rdata[0] ?? 0) << 8) | (rdata[1] ?? 0);
    const isZoneKey = (flags & 0x0100) !== 0 && (flags & 0x0080) === 0 && rdata[2] === 3;
    return isZoneKey
      ? [
          {
            tag: keyTagOf(rdata),
            isEntryPoint: (flags & 1) !== 0,
            algorithm: rdata[3] ?? 0,
            publicKey: rdata.subarray(4),
          },
        ]
      : [];
  });
}
