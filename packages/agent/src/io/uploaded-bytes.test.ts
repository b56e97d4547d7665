import { expect, it } from 'vitest';
import { uploadedBytes } from './uploaded-bytes.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

it('parts become one, which is there once', () => {
  const uploads = uploadedBytes(10);
  const key = uploads.add(undefined, bytes(1, 2));
  expect(uploads.add(key, bytes(3))).toBe(key);
  expect(uploads.take(key ?? '')).toEqual(bytes(1, 2, 3));
  expect(uploads.take(key ?? '')).toBeUndefined();
  expect(uploads.add(key, bytes(4))).toBeUndefined();
});

it('an upload that grows too large is dropped, and of three at once the oldest', () => {
  const uploads = uploadedBytes(3);
  const large = uploads.add(undefined, bytes(1, 2, 3));
  expect(uploads.add(large, bytes(4))).toBeUndefined();
  expect(uploads.take(large ?? '')).toBeUndefined();
  const [first, second, third] = [1, 2, 3].map((value) => uploads.add(undefined, bytes(value)));
  expect(uploads.take(first ?? '')).toBeUndefined();
  expect(uploads.take(second ?? '')).toEqual(bytes(2));
  expect(uploads.take(third ?? '')).toEqual(bytes(3));
});
