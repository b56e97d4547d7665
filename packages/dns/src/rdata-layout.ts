import { RecordType as T } from './record-types.ts';

/**
 * One field of a type's rdata. `name-packed` are the names that may be compressed in messages (RFC 3597 §4: the types
 * of RFC 1035 only); `name-unpacked` may arrive compressed from older servers and is folded for comparison (RFC 4034
 * §6.2); `name-plain` does neither.
 */
export type RdataField =
  | 'u8'
  | 'u16'
  | 'u32'
  | 'period'
  | 'time'
  | 'algorithm'
  | 'certificate-type'
  | 'type'
  | 'scheme'
  | 'ipv4'
  | 'ipv6'
  | 'eui48'
  | 'eui64'
  | 'locator64'
  | 'name-packed'
  | 'name-unpacked'
  | 'name-plain'
  | 'string'
  | 'strings'
  | 'salt'
  | 'hash'
  | 'hex'
  | 'base64'
  | 'base64-or-nothing'
  | 'text'
  | 'tag'
  | 'bitmap'
  | 'svc-params'
  | 'gateway'
  | 'prefixes'
  | 'location'
  | 'host-identity'
  | 'opaque';

const oneName: RdataField[] = ['name-packed'];
const strings: RdataField[] = ['strings'];
const preferredName: RdataField[] = ['u16', 'name-unpacked'];
const digest: RdataField[] = ['u16', 'algorithm', 'u8', 'hex'];
const key: RdataField[] = ['u16', 'u8', 'algorithm', 'base64'];
const signature: RdataField[] = [
  'type',
  'algorithm',
  'u8',
  'u32',
  'time',
  'time',
  'u16',
  'name-unpacked',
  'base64',
];
const service: RdataField[] = ['u16', 'name-plain', 'svc-params'];
const association: RdataField[] = ['u8', 'u8', 'u8', 'hex'];

const layouts = new Map<number, readonly RdataField[]>([
  [T.A, ['ipv4']],
  [T.NS, oneName],
  [T.MD, oneName],
  [T.MF, oneName],
  [T.CNAME, oneName],
  [T.SOA, ['name-packed', 'name-packed', 'u32', 'period', 'period', 'period', 'period']],
  [T.MB, oneName],
  [T.MG, oneName],
  [T.MR, oneName],
  [T.PTR, oneName],
  [T.HINFO, ['string', 'string']],
  [T.MINFO, ['name-packed', 'name-packed']],
  [T.MX, ['u16', 'name-packed']],
  [T.TXT, strings],
  [T.RP, ['name-unpacked', 'name-unpacked']],
  [T.AFSDB, preferredName],
  [T.X25, ['string']],
  [T.ISDN, strings],
  [T.RT, preferredName],
  [T['NSAP-PTR'], ['name-plain']],
  [T.SIG, signature],
  [T.KEY, key],
  [T.PX, ['u16', 'name-unpacked', 'name-unpacked']],
  [T.GPOS, ['string', 'string', 'string']],
  [T.AAAA, ['ipv6']],
  [T.LOC, ['location']],
  [T.EID, ['hex']],
  [T.NIMLOC, ['hex']],
  [T.SRV, ['u16', 'u16', 'u16', 'name-unpacked']],
  [T.NAPTR, ['u16', 'u16', 'string', 'string', 'string', 'name-unpacked']],
  [T.KX, preferredName],
  [T.CERT, ['certificate-type', 'u16', 'algorithm', 'base64']],
  [T.DNAME, ['name-unpacked']],
  [T.APL, ['prefixes']],
  [T.DS, digest],
  [T.SSHFP, ['u8', 'u8', 'hex']],
  [T.IPSECKEY, ['u8', 'gateway', 'base64-or-nothing']],
  [T.RRSIG, signature],
  [T.NSEC, ['name-plain', 'bitmap']],
  [T.DNSKEY, key],
  [T.DHCID, ['base64']],
  [T.NSEC3, ['u8', 'u8', 'u16', 'salt', 'hash', 'bitmap']],
  [T.NSEC3PARAM, ['u8', 'u8', 'u16', 'salt']],
  [T.TLSA, association],
  [T.SMIMEA, association],
  [T.HIP, ['host-identity']],
  [T.NINFO, strings],
  [T.RKEY, key],
  [T.TALINK, ['name-plain', 'name-plain']],
  [T.CDS, digest],
  [T.CDNSKEY, key],
  [T.OPENPGPKEY, ['base64']],
  [T.CSYNC, ['u32', 'u16', 'bitmap']],
  [T.ZONEMD, ['u32', 'u8', 'u8', 'hex']],
  [T.SVCB, service],
  [T.HTTPS, service],
  [T.DSYNC, ['type', 'scheme', 'u16', 'name-plain']],
  [T.HHIT, ['base64']],
  [T.BRID, ['base64']],
  [T.SPF, strings],
  [T.NID, ['u16', 'locator64']],
  [T.L32, ['u16', 'ipv4']],
  [T.L64, ['u16', 'locator64']],
  [T.LP, ['u16', 'name-plain']],
  [T.EUI48, ['eui48']],
  [T.EUI64, ['eui64']],
  [T.URI, ['u16', 'u16', 'text']],
  [T.CAA, ['u8', 'tag', 'text']],
  [T.AVC, strings],
  [T.RESINFO, strings],
  [T.WALLET, strings],
  [T.TA, digest],
  [T.DLV, digest],
  [T.DELEG, ['svc-params']],
  [T.DELEGPARAM, ['svc-params']],
]);

/** The fields of a type's rdata, or undefined for types whose rdata is opaque here (RFC 3597). */
export function rdataLayout(type: number): readonly RdataField[] | undefined {
  return layouts.get(type);
}
