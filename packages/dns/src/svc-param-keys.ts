import { RecordType } from './record-types.ts';

/** What the values of a parameter look like. */
export type ValueForm =
  | 'mandatory'
  | 'alpn'
  | 'nothing'
  | 'port'
  | 'ipv4s'
  | 'ipv6s'
  | 'base64'
  | 'octets'
  | 'groups'
  | 'path'
  | 'names';

/** A service parameter by the name that IANA or a draft gives it. */
export interface Param {
  name: string;
  key: number;
  form: ValueForm;
}

/**
 * What IANA has registered by RFC 9460 §14.3.2. Besides its own: ech (RFC 9848 §3), dohpath (RFC 9461 §5),
 * ohttp (RFC 9540 §4), tls-supported-groups (draft-ietf-tls-key-share-prediction), docpath (RFC 9953), pvd
 * (draft-ietf-intarea-proxy-config). Key 12, oots, has no settled form and is written key12.
 */
const serviceParams: readonly Param[] = [
  { name: 'mandatory', key: 0, form: 'mandatory' },
  { name: 'alpn', key: 1, form: 'alpn' },
  { name: 'no-default-alpn', key: 2, form: 'nothing' },
  { name: 'port', key: 3, form: 'port' },
  { name: 'ipv4hint', key: 4, form: 'ipv4s' },
  { name: 'ech', key: 5, form: 'base64' },
  { name: 'ipv6hint', key: 6, form: 'ipv6s' },
  { name: 'dohpath', key: 7, form: 'octets' },
  { name: 'ohttp', key: 8, form: 'nothing' },
  { name: 'tls-supported-groups', key: 9, form: 'groups' },
  { name: 'docpath', key: 10, form: 'path' },
  { name: 'pvd', key: 11, form: 'nothing' },
];

/** The parameters of DELEG and DELEGPARAM (draft-ietf-deleg). */
const delegationParams: readonly Param[] = [
  { name: 'mandatory', key: 0, form: 'mandatory' },
  { name: 'server-ipv4', key: 1, form: 'ipv4s' },
  { name: 'server-ipv6', key: 2, form: 'ipv6s' },
  { name: 'server-name', key: 3, form: 'names' },
  { name: 'include-delegparam', key: 4, form: 'names' },
];

/** The parameters that this type knows by name. */
export function paramsOf(type: number): readonly Param[] {
  return type === RecordType.DELEG || type === RecordType.DELEGPARAM ? delegationParams : serviceParams;
}

/** The name of a key, `keyN` where it has none. */
export function keyToText(known: readonly Param[], key: number): string {
  return known.find((param) => param.key === key)?.name ?? `key${key}`;
}

/** Octets as numbers of two octets each. */
export function numbersIn(octets: Uint8Array): number[] {
  return Array.from(
    { length: octets.length / 2 },
    (_, i) => ((octets[2 * i] ?? 0) << 8) | (octets[2 * i + 1] ?? 0),
  );
}
