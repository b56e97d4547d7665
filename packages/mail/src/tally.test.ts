import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { countMessage, decodeTally, emptyTally, encodeTally, type Tally } from './tally.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
const tag = fc.uint8Array({ minLength: 16, maxLength: 16 });
const message = fc.record({
  messageBytes: fc.nat(1e6),
  tags: fc.array(tag, { minLength: 1, maxLength: 3 }),
});
const name = (i: number): string => String(i + 1).padStart(8, '0');
const count = (headers: readonly { messageBytes: number; tags: Uint8Array[] }[]): Tally =>
  headers.reduce((tally, header, i) => countMessage(tally, { id: name(i), header }, sha256), emptyTally());

it('counts every message once, however often its entry is shown, and keeps its values on disk', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), (headers) => {
      const tally = count(headers);
      expect(tally.messages).toBe(headers.length);
      expect(tally.bytes).toBe(headers.reduce((sum, { messageBytes }) => sum + messageBytes, 0));
      const again = headers.reduce(
        (one, header, i) => countMessage(one, { id: name(i), header }, sha256),
        tally,
      );
      expect(again).toEqual(tally);
      expect(decodeTally(encodeTally(tally))).toEqual(tally);
    }),
  );
});

it('the chain says which messages, and in which order', () => {
  fc.assert(
    fc.property(tag, tag, (a, b) => {
      fc.pre(a.join() !== b.join());
      const [one, two] = [a, b].map((bytes) => ({ messageBytes: 1, tags: [bytes] }));
      if (one === undefined || two === undefined) throw new Error('two messages');
      expect(count([one, two]).chain).not.toEqual(count([two, one]).chain);
      expect(count([one]).chain).toEqual(sha256(Uint8Array.from([...new Uint8Array(32), ...a])));
    }),
  );
});
