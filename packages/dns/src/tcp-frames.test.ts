import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TcpFrames } from './tcp-frames.ts';

function framed(messages: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(
    messages.flatMap((message) => [message.length >> 8, message.length & 255, ...message]),
  );
}

function readAll(frames: TcpFrames): Uint8Array[] {
  const read: Uint8Array[] = [];
  for (let message = frames.next(); message; message = frames.next()) read.push(message.slice());
  return read;
}

it('gives the same messages wherever the stream is cut (RFC 7766 §8)', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 6 });
  fc.assert(
    fc.property(messages, fc.infiniteStream(fc.integer({ min: 1, max: 2000 })), (sent, cuts) => {
      const frames = new TcpFrames();
      const stream = framed(sent);
      const read: Uint8Array[] = [];
      for (let at = 0; at < stream.length; ) {
        const size = cuts.next().value ?? 1;
        frames.push(stream.subarray(at, at + size));
        at += size;
        read.push(...readAll(frames));
      }
      expect(read).toEqual(sent);
      expect(frames.hasPart).toBe(false);
    }),
  );
});

it('gives them octet by octet too, the longest as well', () => {
  const sent = [new Uint8Array(65_535).fill(7), Uint8Array.of(1)];
  const frames = new TcpFrames();
  const read: Uint8Array[] = [];
  for (const octet of framed(sent)) {
    frames.push(Uint8Array.of(octet));
    read.push(...readAll(frames));
  }
  expect(read).toEqual(sent);
});

it('keeps what was not taken yet when more comes', () => {
  const frames = new TcpFrames();
  const sent = [Uint8Array.of(1, 2), Uint8Array.of(3), Uint8Array.of(4, 5, 6)];
  const stream = framed(sent);
  frames.push(stream.subarray(0, 6));
  expect(frames.next()).toEqual(sent[0]);
  frames.push(stream.subarray(6));
  expect(frames.hasPart).toBe(true);
  expect(readAll(frames)).toEqual(sent.slice(1));
});
