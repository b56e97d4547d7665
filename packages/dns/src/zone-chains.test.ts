import { expect, it } from 'vitest';
import { createAnswerer } from './answer.ts';
import { sha1 } from './io/hash.ts';
import { loadZone } from './load-zone.ts';
import { decodeMessage, encodeMessage } from './message.ts';
import { nameOf, nameToText } from './name.ts';
import { rdataToText } from './rdata-print.ts';
import { RecordType } from './record-types.ts';

const hash = '0p9mhaveqvm6t7vbl5lop2u3t2rp3tom';
const other = '2t7b4g4vsa5smi47k61mv5bv1a22bojr';

/** The owners of the NSEC3 records that deny a name of this zone, which has one link or two in its chain. */
function proofOf(lines: readonly string[]): string[] {
  const text = ['$TTL 300', '@ SOA ns host 1 4h 1h 2w 60', '@ NS ns', 'ns A 192.0.2.1', ...lines];
  const { zone, problems } = loadZone({ text: `${text.join('\n')}\n`, file: 'z', origin: nameOf('example') });
  if (!zone) throw new Error(problems.map((problem) => problem.text).join());
  const query = encodeMessage({
    id: 1,
    flags: 0,
    questions: [{ name: nameOf('nothing.example'), type: RecordType.A, class: 1 }],
    answers: [],
    authority: [],
    additional: [{ owner: nameOf('.'), type: 41, class: 1232, ttl: 0x8000, rdata: new Uint8Array() }],
  });
  const answer = createAnswerer([{ zone, expired: false }], { sha1 }).answer(query ?? new Uint8Array(), {
    transport: 'udp',
    address: '192.0.2.1',
    nowMs: 0,
  });
  const records = decodeMessage(answer ?? new Uint8Array())?.authority ?? [];
  return records
    .filter(({ type }) => type === RecordType.NSEC3)
    .map(({ owner, rdata }) => `${nameToText(owner)} ${rdataToText(RecordType.NSEC3, rdata)}`);
}

const link = (owner: string, iterations: number, salt: string) =>
  `${owner} NSEC3 1 0 ${iterations} ${salt} ${owner} A`;

it('a chain of 150 iterations proves, one of 151 is left out (RFC 9276 §3.2)', () => {
  const chain = (iterations: number) => [`@ NSEC3PARAM 1 0 ${iterations} -`, link(hash, iterations, '-')];
  expect(proofOf(chain(150))).toHaveLength(1);
  expect(proofOf(chain(151))).toEqual([]);
});

it('of several chains the one counts that NSEC3PARAM names (RFC 5155 §7.1)', () => {
  const both = [link(hash, 0, '-'), link(other, 0, 'aabb')];
  expect(proofOf(['@ NSEC3PARAM 1 0 0 -', ...both])).toEqual([
    expect.stringMatching(new RegExp(`^${hash}\\.example\\. 1 0 0 - `, 'i')),
  ]);
  expect(proofOf(['@ NSEC3PARAM 1 0 0 aabb', ...both])).toEqual([
    expect.stringMatching(new RegExp(`^${other}\\.example\\. 1 0 0 aabb `, 'i')),
  ]);
  expect(proofOf(both)).toEqual([]);
});
