import { equalBytes, fromUtf8 } from '@copain/core';
import { formatIpv4, formatIpv6, parseIpv6 } from './address-text.ts';
import type { MasterRecord } from './master-file.ts';
import { type DomainName, nameKey, sameName } from './name.ts';
import { RecordType, typeToText } from './record-types.ts';
import { misfittingParam } from './svc-params-print.ts';

/** What is wrong with one record whatever else the zone holds. */
export interface RecordMistake {
  severity: 'error' | 'warning';
  text: string;
}

/**
 * Data that is well formed but cannot be meant: what BIND or Knot refuse to load, as an error; what makes resolvers or
 * browsers stumble, as a warning. `origin` is the zone's.
 */
export function checkRecord(record: MasterRecord, origin: DomainName): RecordMistake | undefined {
  switch (record.type) {
    case RecordType.DS:
    case RecordType.DELEG:
      return sameName(record.owner, origin)
        ? mistake(
            `${typeToText(record.type)} stands at the top of the zone; it belongs to the zone above, at the delegation`,
          )
        : undefined;
    case RecordType.NSEC3:
      return checkHashLength(record.rdata);
    case RecordType.PTR:
      return checkPointer(record);
    case RecordType.SVCB:
    case RecordType.HTTPS:
      return checkService(record);
    case RecordType.CAA:
      return checkAuthority(record.rdata);
    case RecordType.CNAME:
      return checkPolicyTrigger(record.owner, origin);
    default:
      return undefined;
  }
}

const mistake = (text: string): RecordMistake => ({ severity: 'error', text });
const doubt = (text: string): RecordMistake => ({ severity: 'warning', text });

/** The labels in lower case, one character an octet, the root left out. */
function labelsOf(name: DomainName): string[] {
  const key = nameKey(name);
  const labels: string[] = [];
  for (let at = 0, length = key.charCodeAt(0); length > 0; at += length + 1, length = key.charCodeAt(at)) {
    labels.push(key.slice(at + 1, at + 1 + length));
  }
  return labels;
}

const sha1Bytes = 20;

/** RFC 5155 §11: hash algorithm 1 is SHA-1. */
function checkHashLength(rdata: Uint8Array): RecordMistake | undefined {
  const length = rdata[5 + (rdata[4] ?? 0)];
  return rdata[0] !== 1 || length === sha1Bytes
    ? undefined
    : mistake(
        `the next hashed name of an NSEC3 with SHA-1 has ${sha1Bytes} octets, which are 32 digits without padding`,
      );
}

/** RFC 8659 §4.1: the tag is letters and digits. */
function checkAuthority(rdata: Uint8Array): RecordMistake | undefined {
  const tag = String.fromCharCode(...rdata.subarray(2, 2 + (rdata[1] ?? 0)));
  return /^[a-z0-9]+$/i.test(tag)
    ? undefined
    : mistake('the tag of a CAA record is letters and digits, like issue');
}

type HostLabel = 'host' | 'underscore' | 'odd';

/** RFC 952, RFC 1123 §2.1: letters, digits and hyphens, no hyphen at either end. */
function hostLabel(label: string): HostLabel {
  if (/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/i.test(label)) return 'host';
  return /^[a-z0-9_-]+$/i.test(label) ? 'underscore' : 'odd';
}

/** The worst label of a name, as far as hosts are concerned. */
function hostName(labels: readonly string[]): HostLabel {
  const kinds = labels.map(hostLabel);
  return (['odd', 'underscore'] as const).find((kind) => kinds.includes(kind)) ?? 'host';
}

/**
 * A PTR names a host, except in service discovery (RFC 6763 §4.1, §11): there it names anything, under `_service._proto`
 * and for the browsing domains under `_dns-sd._udp`.
 */
function checkPointer({ owner, rdata }: MasterRecord): RecordMistake | undefined {
  const [first = '', second, third] = labelsOf(owner);
  const isDiscovery = first.startsWith('_') || (second === '_dns-sd' && third === '_udp');
  if (isDiscovery) return undefined;
  const kind = hostName(labelsOf(rdata).map((label) => (label === '*' ? '_' : label)));
  if (kind === 'odd') return mistake('this PTR names something that cannot be a host name');
  return kind === 'underscore'
    ? doubt(
        'this PTR names something with an underscore, a star, or a hyphen at an end of a label; BIND refuses this as a host name',
      )
    : undefined;
}

/** RFC 9460 §2.4.3: in service mode the target is a host; RFC 9461 §4, §5 for DNS servers. */
function checkService({ owner, type, rdata }: MasterRecord): RecordMistake | undefined {
  const isService = rdata[0] !== 0 || rdata[1] !== 0;
  if (!isService) return undefined;
  const target = labelsOf(rdata.subarray(2, 2 + nameLength(rdata, 2)));
  if (hostName(target) !== 'host')
    return mistake(`the target of this ${typeToText(type)} record cannot be a host name`);
  const [first = '', second] = labelsOf(owner);
  const isDnsServer = first === '_dns' || (/^_\d+$/.test(first) && second === '_dns');
  const refusal = type === RecordType.SVCB && isDnsServer ? checkDnsServer(rdata) : undefined;
  return refusal ?? doubtfulParams(type, rdata);
}

/** What at least one of the common servers refuses to load or to take, and the others take (RFC 9460 §7, RFC 9461 §5). */
function doubtfulParams(type: number, rdata: Uint8Array): RecordMistake | undefined {
  const misfit = misfittingParam(type, rdata.subarray(2 + nameLength(rdata, 2)));
  if (misfit !== undefined)
    return doubt(
      `the octets of ${misfit} are none of its values: clients ignore this record (RFC 9460 §2.2), BIND and NSD refuse such ones`,
    );
  const params = paramsIn(rdata);
  if (params.has(noDefaultAlpnKey) && !params.has(alpnKey))
    return doubt('no-default-alpn without alpn leaves no protocol at all; BIND refuses this record');
  const path = params.get(dohPathKey);
  return path === undefined || isDohPath(path)
    ? undefined
    : doubt(
        'dohpath begins with / and has the variable dns, like /dns-query{?dns}; BIND refuses another one',
      );
}

const alpnKey = 1;
const noDefaultAlpnKey = 2;
const dohPathKey = 7;

function checkDnsServer(rdata: Uint8Array): RecordMistake | undefined {
  const params = paramsIn(rdata);
  const protocols = protocolsIn(params.get(alpnKey) ?? new Uint8Array());
  if (protocols.length === 0)
    return mistake('a DNS server offers no protocol without alpn (RFC 9461 §4.1.1): alpn=dot, h2, h3 or doq');
  const path = params.get(dohPathKey);
  if (path === undefined) {
    const http = protocols.find((protocol) => /^h(?:\d|ttp\/)/.test(protocol));
    return http === undefined
      ? undefined
      : mistake(`a DNS server with alpn ${http} needs dohpath, like dohpath=/dns-query{?dns} (RFC 9461 §5)`);
  }
  return isDohPath(path)
    ? undefined
    : mistake('dohpath begins with / and has the variable dns, like /dns-query{?dns} (RFC 9461 §5)');
}

function isDohPath(path: Uint8Array): boolean {
  const text = fromUtf8(path) ?? '';
  return text.startsWith('/') && /\{[^}]*\bdns\b[^}]*\}/.test(text);
}

/** The parameters behind priority and target of an SVCB record, by key. */
function paramsIn(rdata: Uint8Array): Map<number, Uint8Array> {
  const params = new Map<number, Uint8Array>();
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength);
  for (let at = 2 + nameLength(rdata, 2); at + 4 <= rdata.length; at += 4 + view.getUint16(at + 2)) {
    params.set(view.getUint16(at), rdata.subarray(at + 4, at + 4 + view.getUint16(at + 2)));
  }
  return params;
}

/** Octets of the uncompressed name that begins at `at`, its root included. */
function nameLength(rdata: Uint8Array, at: number): number {
  let end = at;
  while (rdata[end]) end += (rdata[end] ?? 0) + 1;
  return end + 1 - at;
}

function protocolsIn(value: Uint8Array): string[] {
  const protocols: string[] = [];
  for (let at = 0; at < value.length; at += 1 + (value[at] ?? 0)) {
    protocols.push(String.fromCharCode(...value.subarray(at + 1, at + 1 + (value[at] ?? 0))));
  }
  return protocols;
}

const policyLabels = new Set(['rpz-ip', 'rpz-client-ip', 'rpz-nsip']);

/**
 * Response policy zones name address blocks backwards: `24.0.2.0.192.rpz-ip`, `48.zz.db8.2001.rpz-ip`. One that is not
 * in the one form that servers look up never matches anything, and BIND refuses the zone.
 */
function checkPolicyTrigger(owner: DomainName, origin: DomainName): RecordMistake | undefined {
  const labels = labelsOf(owner);
  const block = labels.slice(0, labels.length - labelsOf(origin).length);
  const last = block.pop();
  if (last === undefined || !policyLabels.has(last) || block.length === 0) return undefined;
  return isBlock(block)
    ? undefined
    : mistake(
        `${block.join('.')} is no address block as policy zones write it: 24.0.2.0.192 for 192.0.2.0/24, 48.zz.db8.2001 for 2001:db8::/48`,
      );
}

function isBlock([prefixText = '', ...parts]: readonly string[]): boolean {
  if (!/^[1-9]\d{0,2}$/.test(prefixText)) return false;
  const prefix = Number(prefixText);
  const forwards = parts.toReversed();
  if (parts.length === 4 && !parts.includes('zz')) {
    const octets = Uint8Array.from(forwards, Number);
    return forwards.join('.') === formatIpv4(octets) && prefix <= 32 && isCleared(octets, prefix);
  }
  const text = forwards
    .join(':')
    .replace(/^zz$/, '::')
    .replace(/^zz:/, '::')
    .replace(/:zz$/, '::')
    .replace(':zz:', '::');
  const octets = parseIpv6(text);
  return octets !== undefined && formatIpv6(octets) === text && prefix <= 128 && isCleared(octets, prefix);
}

/** Are all bits behind the prefix zero? */
function isCleared(octets: Uint8Array, prefix: number): boolean {
  const cleared = octets.map((octet, index) => {
    const bits = Math.min(8, Math.max(0, prefix - 8 * index));
    return octet & (0xff00 >> bits) & 0xff;
  });
  return equalBytes(cleared, octets);
}
