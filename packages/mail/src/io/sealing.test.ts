import { Decrypter } from 'age-encryption';
import { expect, it } from 'vitest';
import { sealsBeforeThread } from '../limits.ts';
import { sha256 } from './seal.ts';
import { Sealing } from './sealing.ts';
import { ageKey } from './testing.ts';

it('many messages at once are sealed by a thread of their own, few are not, and each is what was asked for', async () => {
  const { identity, recipient } = await ageKey();
  const trouble: Error[] = [];
  await using sealing = new Sealing((error) => trouble.push(error));
  const contentOf = (number: number): Uint8Array => new Uint8Array(100 + number).fill(number);
  const opens = async (number: number): Promise<void> => {
    const { file, hash } = await sealing.seal([recipient], contentOf(number));
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    expect(await decrypter.decrypt(file)).toEqual(contentOf(number));
    expect(hash).toEqual(sha256(file));
  };
  await opens(0);
  expect(sealing.hasThread).toBe(false);
  await Promise.all(Array.from({ length: 3 * sealsBeforeThread }, (_, number) => opens(number)));
  expect(sealing.hasThread).toBe(true);
  await opens(1);
  // A key that is none is refused there as here.
  await expect(sealing.seal(['age1nonsense'], contentOf(1))).rejects.toThrow();
  expect(trouble).toEqual([]);
});

it('what a thread that ends has not sealed is sealed without it', async () => {
  const { recipient } = await ageKey();
  const sealing = new Sealing(() => {});
  const all = Array.from({ length: 3 * sealsBeforeThread }, () =>
    sealing.seal([recipient], new Uint8Array(10)),
  );
  expect(sealing.hasThread).toBe(true);
  await sealing[Symbol.asyncDispose]();
  expect(sealing.hasThread).toBe(false);
  for (const { file } of await Promise.all(all)) expect(file.length).toBeGreaterThan(200);
  expect((await sealing.seal([recipient], new Uint8Array(10))).file.length).toBeGreaterThan(200);
});
