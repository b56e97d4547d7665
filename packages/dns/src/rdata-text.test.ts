import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseMasterFile } from './master-file.ts';
import { nameOf } from './name.ts';
import { rdataToText } from './rdata-print.ts';
import { isRdata } from './rdata-wire.ts';
import { typeFromText, typeToText } from './record-types.ts';

/** One line of every type, in the form in which it is printed again. */
const lines = [
  'A 192.0.2.1',
  'NS ns1.example.',
  'CNAME a\\.b.example.',
  'SOA ns1.example. hostmaster.example. 2026112201 14400 3600 1209600 300',
  'PTR host.example.',
  'HINFO "PC" "Linux"',
  'MINFO a.example. b.example.',
  'MX 10 mail.example.',
  'TXT "v=spf1 mx -all" "\\000\\255\\"\\\\"',
  'RP admin.example. text.example.',
  'AFSDB 1 db.example.',
  'AAAA 2001:db8::1',
  'AAAA ::ffff:c000:201',
  'LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m',
  'SRV 0 5 5060 sip.example.',
  'NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:a@example!" .',
  'CERT 1 12345 8 AQID',
  'DNAME other.example.',
  'DS 60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118',
  'SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789',
  'IPSECKEY 10 1 2 192.0.2.38 AQID',
  'RRSIG A 13 2 3600 1798761599 1767225600 12345 example. AQIDBA==',
  'NSEC b.example. A MX RRSIG NSEC TYPE1234',
  'DNSKEY 257 3 13 AQIDBA==',
  'DHCID AQIDBA==',
  'NSEC3 1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG',
  'NSEC3 1 1 12 aabbccdd 00====== A RRSIG',
  'NSEC3PARAM 1 0 0 -',
  'TLSA 3 1 1 0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3',
  'SMIMEA 3 0 0 aabb',
  'CDS 0 0 0 00',
  'CDNSKEY 0 3 0 AA==',
  'OPENPGPKEY AQIDBA==',
  'CSYNC 66 3 A NS AAAA',
  'ZONEMD 2026112201 1 1 c68090d90a7aed71',
  'SVCB 1 svc.example. mandatory=alpn alpn="h2,h3" port=8443 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1 key667="hello"',
  'SVCB 1 . no-default-alpn ech=AEX+DQ== dohpath="/dns-query{?dns}" ohttp tls-supported-groups=29,23 docpath="n,s" pvd',
  'SVCB 1 . mandatory=tls-supported-groups tls-supported-groups=4588 docpath key12="\\000"',
  'HTTPS 0 www.example.',
  'URI 10 1 "https://www.example/"',
  'CAA 0 issue "ca.example"',
  'NID 10 0014:4fff:ff20:ee64',
  'EUI48 00-00-5e-00-53-2a',
  'NSAP-PTR host.example.',
  'GPOS "-32.6882" "116.8652" "10.0"',
  'EID 1289ab',
  'NIMLOC 1289ab',
  'NINFO "a" "b"',
  'RKEY 0 255 1 AQMF',
  'TALINK a.example. b.example.',
  'DSYNC CDS NOTIFY 5300 rr.example.',
  'DSYNC CSYNC 200 53 .',
  'HHIT AQID',
  'BRID AQID',
  'AVC "foo:bar"',
  'TA 30795 1 1 310d27f4',
  'DLV 30795 1 1 310d27f4',
  'AMTRELAY \\# 2 0a00',
  'A6 \\# 1 00',
  'TYPE65534 \\# 3 010203',
];

function parseOne(line: string) {
  return parseMasterFile({ text: `x 1 ${line}\n`, file: 'x', origin: nameOf('example') });
}

it.each(lines)('reads and prints %s', (line) => {
  const { records, problems } = parseOne(line);
  expect(problems).toEqual([]);
  const [record] = records;
  expect(record && `${typeToText(record.type)} ${rdataToText(record.type, record.rdata)}`).toBe(line);
  expect(record && isRdata(record.type, record.rdata)).toBe(true);
});

it('carries a text of any length in strings of 255 octets, as Knot does, and says that BIND and NSD refuse it', () => {
  const texts = ['a', 'b'.repeat(255), 'c'.repeat(256), `"${'d'.repeat(510)}"`, '\\100'.repeat(511)];
  for (const [index, lengths] of [[1], [255], [255, 1], [255, 255], [255, 255, 1]].entries()) {
    const { records, problems } = parseOne(`TXT ${texts[index]}`);
    const expected = lengths.map((length) =>
      Buffer.concat([Buffer.of(length), Buffer.alloc(length, 97 + index)]),
    );
    const rdata =
      index === 4
        ? expected.map((one) => Buffer.concat([one.subarray(0, 1), Buffer.alloc(one.length - 1, 100)]))
        : expected;
    expect(records[0]?.rdata).toEqual(new Uint8Array(Buffer.concat(rdata)));
    const warnings = problems.map(({ severity, line, column, text }) => [
      severity,
      line,
      column,
      text.slice(0, 30),
    ]);
    expect(warnings).toEqual(lengths.length > 1 ? [['warning', 1, 9, 'a text of more than 255 octets']] : []);
  }
});

it('reads numbers with zeros in front, and a tag of CAA that the check of zones will refuse', () => {
  expect(parseOne('MX 00000000000010 a').records[0]?.rdata.subarray(0, 2)).toEqual(Uint8Array.of(0, 10));
  expect(parseOne('CAA 0 is-sue "x"').problems).toEqual([]);
});

it.each([
  ['tls-supported-groups=29,23', '0009 0004 001d0017'],
  ['tls-supported-groups="29,23"', '0009 0004 001d0017'],
  ['docpath=n,s', '000a 0004 016e0173'],
  ['docpath=dns', '000a 0004 03646e73'],
  ['docpath=a\\\\,b', '000a 0004 03612c62'],
  ['docpath', '000a 0000'],
  ['docpath=""', '000a 0000'],
  ['pvd', '000b 0000'],
  ['port="8004"', '0003 0002 1f44'],
])('gives the service parameter %s its octets', (text, octets) => {
  const { records, problems } = parseOne(`SVCB 1 . ${text}`);
  expect(problems).toEqual([]);
  expect(Buffer.from(records[0]?.rdata ?? []).toString('hex')).toBe(`000100${octets.replaceAll(' ', '')}`);
});

it.each([
  ['0009 0000', 'key9'],
  ['0009 0003 001d00', 'key9="\\000\\029\\000"'],
  ['0009 0004 001d001d', 'key9="\\000\\029\\000\\029"'],
  ['000a 0001 00', 'key10="\\000"'],
  ['000b 0001 31', 'key11="1"'],
])('shows the octets %s, which do not fit their key, as they are', (octets, text) => {
  const rdata = new Uint8Array(Buffer.from(`000100${octets.replaceAll(' ', '')}`, 'hex'));
  expect(rdataToText(typeFromText('SVCB') ?? 0, rdata)).toBe(`1 . ${text}`);
});

it('prints whatever octets a type accepts so that they read back the same', () => {
  const types = lines.map((line) => typeFromText(line.split(' ')[0] ?? '') ?? 0);
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 60 }), (type, rdata) => {
      if (!isRdata(type, rdata)) return;
      const { records, problems } = parseOne(`${typeToText(type)} ${rdataToText(type, rdata)}`);
      expect(problems).toEqual([]);
      expect(records[0]?.rdata).toEqual(rdata);
    }),
    // A hash of one octet was found by chance, one run in a hundred: it is tried in every run.
    { numRuns: 20_000, examples: [[50, Uint8Array.of(0, 0, 0, 0, 0, 1, 0)]] },
  );
}, 60_000);

it.each([
  'A 192.0.2.256',
  'A 192.0.2.01',
  'AAAA 1::2::3',
  'AAAA 1:2:3:4:5:6:7:8:9',
  'MX 65536 a.',
  `HINFO a ${'x'.repeat(256)}`,
  'TXT',
  'DS 1 1 1 abc',
  'DNSKEY 257 3 13 AQI',
  'RRSIG A 13 2 3600 20261301000000 20260101000000 1 example. AQID',
  'NSEC b.example. NOTYPE',
  'A \\# 3 010203',
  'A \\# 5 01020304',
  'SVCB 1 . alpn=h2 alpn=h3',
  'SVCB 1 . mandatory=port alpn=h2',
  'SVCB 1 . tls-supported-groups',
  'SVCB 1 . tls-supported-groups=29,23,29',
  'SVCB 1 . tls-supported-groups=29,,23',
  'SVCB 1 . tls-supported-groups=65536',
  'SVCB 1 . tls-supported-groups=x25519',
  'SVCB 1 . docpath=a,,b',
  `SVCB 1 . docpath=${'x'.repeat(256)}`,
  'SVCB 1 . pvd=1',
  'SVCB 1 . ohttp=""',
  'SVCB 1 . oots=do53:10',
  'LOC 91 0 0 N 4 0 0 E 0m',
  'CAA 0 "" "x"',
  'NSEC b.example. ANY A',
  'RRSIG ANY 13 2 3600 20261201000000 20260101000000 1 example. AQID',
  'RRSIG A 13 2 3600 20261201235960 20260101000000 1 example. AQID',
  'RRSIG A 13 2 3600 "20261201235950" 20260101000000 1 example. AQID',
  'DS 1 "RSASHA1" 1 abcd',
  'RRSIG A 13 2 1h 20261201000000 20260101000000 1 example. AQID',
  'LOC 52 n 4 e 0m',
  'IPSECKEY 10 0 2 "." AQID',
  'DSYNC CDS MAIL 53 rr',
  'WKS 10.0.0.1 tcp smtp',
  'NSEC3PARAM 1 0 0 "-"',
  'APL "1:192.0.2.0/24"',
  'LOC 52 "22" N 4 E 0m',
  'LOC 52 N 4 "E" 0m',
  'SOA a b 1 1h30 1 1 1',
  'MX 00000000000065536 a',
  'SVCB 1 . "alpn=h2"',
  'SVCB 1 . alpn="h2"x',
])('refuses %s', (line) => {
  const { records, problems } = parseOne(line);
  expect([records.length, problems.length]).toEqual([0, 1]);
});
