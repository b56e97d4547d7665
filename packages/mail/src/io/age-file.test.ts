import { concatBytes } from '@copain/core';
import { Decrypter } from 'age-encryption';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sealAgeFile, sealAgeStream } from './age-file.ts';
import { ageKey } from './testing.ts';

const chunk = 65_536;
/** Every length at which the chunks of the payload begin to be another number, and some between. */
const lengths = fc.oneof(
  fc.constantFrom(0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 2 * chunk + 1),
  fc.integer({ min: 0, max: 3 * chunk }),
);
const bytesOf = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 7 + length) % 251);

async function opened(file: Uint8Array, identity: string): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return await decrypter.decrypt(file);
}

async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

async function collected(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return concatBytes(...all);
}

it('the library opens what is sealed here, whatever its length, with the key of any recipient', async () => {
  const keys = await Promise.all([ageKey(), ageKey(), ageKey()]);
  const sealTo = keys.map(({ recipient }) => recipient);
  await fc.assert(
    fc.asyncProperty(lengths, fc.integer({ min: 0, max: 2 }), async (length, which) => {
      const content = bytesOf(length);
      const identity = keys[which]?.identity ?? '';
      expect(await opened(concatBytes(...sealAgeFile(sealTo, content)), identity)).toEqual(content);
    }),
    { numRuns: 40 },
  );
});

it('a stream of pieces of any size becomes a file of the same length, which the library opens', async () => {
  const { identity, recipient } = await ageKey();
  await fc.assert(
    fc.asyncProperty(lengths, fc.integer({ min: 1000, max: 2 * chunk }), async (length, pieceBytes) => {
      const content = bytesOf(length);
      const file = await collected(sealAgeStream([recipient], inPieces(content, pieceBytes)));
      expect(file.length).toBe(concatBytes(...sealAgeFile([recipient], content)).length);
      expect(await opened(file, identity)).toEqual(content);
    }),
    { numRuns: 40 },
  );
});

it('two files of the same content have nothing but the format in common', async () => {
  const { recipient } = await ageKey();
  const [one, two] = [0, 1].map(() => Buffer.from(concatBytes(...sealAgeFile([recipient], bytesOf(100)))));
  const stanza = (file: Buffer | undefined): string | undefined => file?.toString('latin1').split('\n')[1];
  expect(stanza(one)).not.toBe(stanza(two));
  expect(one?.subarray(-116)).not.toEqual(two?.subarray(-116));
});

it('a key of another kind, one with a typing error, and a point of low order are refused', async () => {
  const { recipient } = await ageKey();
  const turned = recipient.endsWith('q') ? 'p' : 'q';
  const lowOrder = 'age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z';
  for (const wrong of [
    `${recipient.slice(0, -1)}${turned}`,
    'age1nonsense',
    '',
    'ssh-ed25519 AAAA',
    lowOrder,
  ])
    expect(() => sealAgeFile([wrong], bytesOf(1))).toThrow();
  expect(() => sealAgeFile([], bytesOf(1))).toThrow('no key');
});
