import {
  type Answerer,
  createAnswerer,
  encodeMessage,
  journalZones,
  loadZone,
  type MessageRecord,
  nameKey,
  nameOf,
  RateLimiter,
  RecordType,
  signTsigQuery,
  soaOf,
  TransferOut,
  type TsigKey,
  typeFromText,
  type Zone,
} from '@copain/dns';
import { sha1, tsigCrypto } from '@copain/dns/io';

const origin = 'odd.example';

/** A zone with everything that makes answering take turns: aliases, renaming, wildcards, cuts, much of one kind. */
const zoneText = `$TTL 300
@ SOA ns hostmaster 1 14400 3600 604800 300
@ NS ns
ns A 192.0.2.1
*.wild TXT "wild"
chain0 CNAME chain1
${Array.from({ length: 30 }, (_, i) => `chain${i + 1} CNAME chain${i + 2}`).join('\n')}
loop CNAME loop
old DNAME new.old
cut NS ns.cut
ns.cut A 192.0.2.2
${Array.from({ length: 200 }, (_, i) => `many A 198.51.100.${i}`).join('\n')}
a\\.b TXT "a dot within a label"
slash/\\.\\. TXT "a slash, and two dots within a label"
nul\\000 TXT "an octet of zero"
high\\255\\128 TXT "octets above 127"
${'x'.repeat(63)} TXT "the longest label"
`;

function oddZone(text: string): Zone {
  const { zone, problems } = loadZone({ text, file: 'odd', origin: nameOf(origin) });
  if (!zone) throw new Error(JSON.stringify(problems));
  return zone;
}

/** Answers from a zone of oddities, with cookies and NSID and without a limit. */
export function oddAnswerer(): Answerer {
  const zone = oddZone(zoneText);
  const cookies = { current: new Uint8Array(16), previous: undefined };
  const options = { sha1, cookies, identity: { nsid: 'odd' }, limiter: new RateLimiter(0) };
  return createAnswerer([{ zone, expired: false }], options);
}

/** Queries that the zone has answers to, with EDNS and options, a TSIG, other opcodes and a response among them. */
export function packetSeeds(): Uint8Array[] {
  const names = [
    '@',
    'a.wild',
    'chain0',
    'loop',
    'x.old',
    'x.cut',
    'many',
    'a\\.b',
    'nul\\000',
    'high\\255\\128',
  ];
  const types = ['A', 'TXT', 'ANY', 'DS', 'SOA', 'IXFR'];
  const record = (type: number, ttl: number, rdata: number[]): MessageRecord => ({
    owner: nameOf('.'),
    type,
    class: 1232,
    ttl,
    rdata: Uint8Array.from(rdata),
  });
  const cookie = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 3, 0, 0, 0, 9, 0, 0, 0, 11, 0, 0];
  const extras: MessageRecord[][] = [
    [],
    [record(RecordType.OPT, 0x8000, [])],
    [record(RecordType.OPT, 0x8000, cookie)],
    [record(RecordType.TSIG, 0, [0, 0, 0, 0, 0, 0, 0, 1, 44, 0, 0, 0, 1, 0, 0, 0, 0])],
  ];
  return names.flatMap((name, i) =>
    types.map((type, j) => {
      const question = {
        name: nameOf(name === '@' ? origin : `${name}.${origin}`),
        type: typeFromText(type) ?? 0,
        class: 1,
      };
      const message = {
        id: i * 256 + j,
        flags: [0, 0x0110, 0, 4 << 11, 0, 0x8000][j] ?? 0,
        questions: [question],
        answers: [],
        authority: [],
        additional: extras[(i + j) % extras.length] ?? [],
      };
      return encodeMessage(message) ?? new Uint8Array();
    }),
  );
}

const key: TsigKey = {
  name: nameOf('home'),
  algorithm: 'hmac-sha256',
  secret: Uint8Array.from({ length: 32 }, (_, i) => i),
};
/** The address that `oddTransfers` has a key for, and one that needs none. */
export const transferHosts = { keyed: '192.0.2.1', plain: '192.0.2.2' } as const;
/** When the seeds of transfers were signed, in milliseconds since 1970. */
export const transferSeedsMs = 1_800_000_000_000;

/** Transfers of the zone of oddities, which has changed once, to a server with a key and one without. */
export function oddTransfers(): TransferOut {
  const answerer = oddAnswerer();
  const zones = [oddZone(zoneText), oddZone(`${zoneText.replace(' 1 14400', ' 2 14400')}new A 192.0.2.9\n`)];
  const [first, second] = zones as [Zone, Zone];
  const journal = journalZones(journalZones(new Map(), [first]), [second]);
  return new TransferOut({
    peers: [
      { address: { host: transferHosts.keyed, port: 53 }, key },
      { address: { host: transferHosts.plain, port: 53 }, key: undefined },
    ],
    crypto: tsigCrypto,
    find: (name) => journal.get(name),
    isHidden: (name) => name === nameKey(nameOf(origin)),
    answer: (query, asker) => answerer.answer(query, asker),
    noted: () => undefined,
  });
}

/** AXFR, IXFR and SOA queries, signed and not. */
export function transferSeeds(): Uint8Array[] {
  const soa = soaOf(oddZone(zoneText));
  const opt = { owner: nameOf('.'), type: RecordType.OPT, class: 1232, ttl: 0, rdata: new Uint8Array() };
  return [RecordType.AXFR, RecordType.IXFR, RecordType.SOA].flatMap((type) =>
    [[], [opt]].flatMap((additional) => {
      const message = encodeMessage({
        id: type,
        flags: 0,
        questions: [{ name: nameOf(origin), type, class: 1 }],
        answers: [],
        authority: type === RecordType.IXFR ? [{ ...soa, class: 1 }] : [],
        additional,
      }) as Uint8Array;
      const context = { crypto: tsigCrypto, nowS: transferSeedsMs / 1000 };
      return [message, signTsigQuery(message, key, context).message];
    }),
  );
}
