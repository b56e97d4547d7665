/** Record types by the names of the IANA registry. `type(NAME)` in the code reads better than a number. */
const numbers = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  X25: 19,
  ISDN: 20,
  RT: 21,
  NSAP: 22,
  'NSAP-PTR': 23,
  SIG: 24,
  KEY: 25,
  PX: 26,
  GPOS: 27,
  AAAA: 28,
  LOC: 29,
  NXT: 30,
  EID: 31,
  NIMLOC: 32,
  SRV: 33,
  ATMA: 34,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  A6: 38,
  DNAME: 39,
  SINK: 40,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  NINFO: 56,
  RKEY: 57,
  TALINK: 58,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  DSYNC: 66,
  HHIT: 67,
  BRID: 68,
  SPF: 99,
  UINFO: 100,
  UID: 101,
  GID: 102,
  UNSPEC: 103,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
  AVC: 258,
  DOA: 259,
  AMTRELAY: 260,
  RESINFO: 261,
  WALLET: 262,
  CLA: 263,
  IPN: 264,
  TA: 32_768,
  DLV: 32_769,
  DELEG: 61_440,
  DELEGPARAM: 65_433,
} as const;

/** A type's number by its name: `RecordType.SOA` is 6. */
export const RecordType: typeof numbers = numbers;

const names = new Map<number, string>(Object.entries(numbers).map(([name, number]) => [number, name]));
const byName = new Map<string, number>(Object.entries(numbers));

/** The mnemonic, or `TYPEn` (RFC 3597 §5) where there is none. */
export function typeToText(type: number): string {
  return names.get(type) ?? `TYPE${type}`;
}

/** The type a text names, in any case, by mnemonic or as `TYPEn`; undefined where it names none. */
export function typeFromText(text: string): number | undefined {
  const upper = text.toUpperCase();
  const known = byName.get(upper);
  if (known !== undefined) return known;
  const match = /^TYPE(\d{1,5})$/.exec(upper);
  return match && Number(match[1]) <= 65_535 ? Number(match[1]) : undefined;
}

/** Types that are only ever asked for or belong to one message, and so never stand in a zone (RFC 6895 §3.1). */
export function isMetaType(type: number): boolean {
  return type === numbers.OPT || (type >= numbers.TKEY && type <= numbers.ANY);
}

export const classIn = 1;
export const classChaos = 3;
/** Of TSIG records (RFC 8945 §4.2), of questions about any class, and of what an update takes away (RFC 2136 §2.5.2). */
export const classAny = 255;

/** OPCODEs that mean something here (RFC 1035 §4.1.1, RFC 1996 §2.1, RFC 2136 §1.3). */
export const Opcode: { readonly query: 0; readonly notify: 4; readonly update: 5 } = {
  query: 0,
  notify: 4,
  update: 5,
};

/** RCODEs of RFC 1035 §4.1.1, RFC 2136 §2.2, RFC 6891 §9 and RFC 7873 §8. */
export const Rcode: {
  readonly noError: 0;
  readonly formErr: 1;
  readonly servFail: 2;
  readonly nxDomain: 3;
  readonly notImp: 4;
  readonly refused: 5;
  readonly yxDomain: 6;
  readonly notAuth: 9;
  readonly notZone: 10;
  readonly badVers: 16;
  readonly badCookie: 23;
} = {
  noError: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  yxDomain: 6,
  notAuth: 9,
  notZone: 10,
  badVers: 16,
  badCookie: 23,
};

const rcodeNames = new Map<number, string>([
  [0, 'NOERROR'],
  [1, 'FORMERR'],
  [2, 'SERVFAIL'],
  [3, 'NXDOMAIN'],
  [4, 'NOTIMP'],
  [5, 'REFUSED'],
  [6, 'YXDOMAIN'],
  [9, 'NOTAUTH'],
  [10, 'NOTZONE'],
  [16, 'BADVERS'],
  [23, 'BADCOOKIE'],
]);

/** `NOERROR`, `NXDOMAIN`, … for logs and metrics. */
export function rcodeToText(rcode: number): string {
  return rcodeNames.get(rcode) ?? `RCODE${rcode}`;
}
