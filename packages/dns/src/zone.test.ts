import fc from 'fast-check';
import { expect, it } from 'vitest';
import { zoneRecordsMax } from './limits.ts';
import { loadZone } from './load-zone.ts';
import { nameOf } from './name.ts';
import { RecordType } from './record-types.ts';
import { rrsetOf, type Zone } from './zone.ts';
import { buildZone } from './zone-build.ts';
import { decodeZone, encodeZone, zoneRecords } from './zone-encoding.ts';

const origin = nameOf('alice.example');
const head = '$TTL 300\n@ SOA ns hostmaster 7 4h 1h 2w 60\n@ NS ns\nns A 192.0.2.53\n';

function load(text: string): Zone {
  const { zone, problems } = loadZone({ text: head + text, file: 'z', origin });
  if (!zone) throw new Error(JSON.stringify(problems));
  return zone;
}

it('gives the same bytes, and the same sets, for the same records in any order', () => {
  const records = zoneRecords(load('www A 192.0.2.1\nwww A 192.0.2.2\nb.a TXT "x"\n* MX 10 ns\n')).map(
    (record, index) => ({ ...record, ttl: 300 - (index % 3) }),
  );
  const asListed = buildZone(origin, records);
  if (asListed.kind === 'refused') throw new Error(asListed.text);
  const setsOf = ({ nodes }: Zone) => [...nodes].toSorted(([one], [other]) => (one < other ? -1 : 1));
  fc.assert(
    fc.property(fc.shuffledSubarray(records, { minLength: records.length }), (shuffled) => {
      const built = buildZone(origin, shuffled);
      expect(built.kind === 'zone' && encodeZone(built.zone)).toEqual(encodeZone(asListed.zone));
      expect(built.kind === 'zone' && setsOf(built.zone)).toEqual(setsOf(asListed.zone));
    }),
  );
});

it('decodes what it encoded', () => {
  const zone = load('www A 192.0.2.1\n_sip._tcp SRV 0 0 5060 www\n');
  const bytes = encodeZone(zone);
  const again = decodeZone(bytes, origin);
  expect(again?.serial).toBe(7);
  expect(again && encodeZone(again)).toEqual(bytes);
});

it('refuses bytes that are not exactly an encoding, whatever is changed in them', () => {
  const bytes = encodeZone(load('www A 192.0.2.1\nmail MX 10 www\nt TXT "text"\n'));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
      const altered = bytes.slice();
      altered[at] = (altered[at] ?? 0) ^ difference;
      const zone = decodeZone(altered, origin);
      // An altered zone may be a zone, but then it is that zone and no other.
      if (zone) expect(encodeZone(zone)).toEqual(altered);
    }),
    { numRuns: 2000 },
  );
  expect(decodeZone(bytes.subarray(0, bytes.length - 1), origin)).toBeUndefined();
  expect(decodeZone(bytes, nameOf('bob.example'))).toBeUndefined();
  expect(decodeZone(new Uint8Array(), origin)).toBeUndefined();
});

it('counts doubles once and serves the lowest TTL of an RRset (RFC 2181 §5)', () => {
  const zone = load('w 60 A 192.0.2.1\nw 30 A 192.0.2.2\nw 60 A 192.0.2.1\nm MX 1 NS\nm MX 1 ns\n');
  const at = (text: string, type: number) => {
    const node = zone.nodes.get(`\x01${text}\x05alice\x07example\0`);
    return node && rrsetOf(node, type);
  };
  expect(at('w', RecordType.A)).toMatchObject({ ttl: 30, rdatas: [expect.anything(), expect.anything()] });
  expect(at('m', RecordType.MX)?.rdatas).toHaveLength(1);
});

it('knows empty non-terminals (RFC 8020)', () => {
  expect(load('a.b.c A 192.0.2.1\n').nodes.get('\x01b\x01c\x05alice\x07example\0')?.rrsets).toEqual([]);
});

it('takes the negative TTL from SOA and MINIMUM, whichever is less (RFC 2308 §3)', () => {
  expect(load('').negativeTtl).toBe(60);
});

it('refuses more records than a box can take in without falling silent', () => {
  const owner = nameOf('h.alice.example');
  const rdata = (i: number) => Uint8Array.of(i >> 24, (i >> 16) & 255, (i >> 8) & 255, i & 255);
  const records = Array.from({ length: zoneRecordsMax + 1 }, (_, i) => ({
    owner,
    type: RecordType.A,
    ttl: 1,
    rdata: rdata(i),
  }));
  expect(buildZone(origin, records)).toMatchObject({
    kind: 'refused',
    text: expect.stringContaining(`${zoneRecordsMax}`),
  });
  const one = Uint8Array.from([...owner, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 0, 0, 0, 0]);
  const bytes = new Uint8Array(one.length * (zoneRecordsMax + 1));
  for (let at = 0; at < bytes.length; at += one.length) bytes.set(one, at);
  expect(decodeZone(bytes, origin)).toBeUndefined();
}, 60_000);

it('takes 100,000 records in seconds, not minutes', () => {
  const lines = Array.from({ length: 100_000 }, (_, i) => `h${i} A 192.0.${(i >> 8) & 255}.${i & 255}`);
  const startedAtMs = performance.now();
  const bytes = encodeZone(load(`${lines.join('\n')}\n`));
  const tookMs = performance.now() - startedAtMs;
  expect(bytes.length).toBeGreaterThan(3_000_000);
  // Generous, because the machine may be busy; quadratic behaviour would take minutes.
  expect(tookMs).toBeLessThan(20_000);
}, 60_000);
