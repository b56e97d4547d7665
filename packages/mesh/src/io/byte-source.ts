import type { Stream } from '@libp2p/interface';
import { Uint8ArrayList } from 'uint8arraylist';
import { bytesOf } from './bytes-of.ts';

/** A stream that begins with messages and goes on as plain bytes. */
export interface ByteSource {
  /** The next message, with its length as a varint before it. Rejects where it is longer than `maxBytes`, or none comes. */
  message(maxBytes: number): Promise<Uint8Array>;
  /** What has come, at most `pieceBytes` of it, as soon as something has; undefined at the clean end. */
  some(): Promise<Uint8Array | undefined>;
  /** What has come and was not handed out yet. */
  heldBytes(): number;
}

/** Call it before anything else happens on the stream; nothing is read before it is asked for. */
export function byteSource(
  stream: Stream,
  options: { received(sizeBytes: number): void; holdBytes: number; pieceBytes: number },
): ByteSource {
  stream.pause();
  let heldBytes = 0;
  const received = (sizeBytes: number): void => {
    heldBytes += sizeBytes;
    options.received(sizeBytes);
  };
  const pieces = bytesOf(stream, { ...options, received });
  const left = new Uint8ArrayList();
  const next = async (): Promise<Uint8ArrayList | undefined> => {
    const piece = await pieces.next();
    if (piece.done === true) return undefined;
    heldBytes -= piece.value.byteLength;
    return piece.value;
  };
  return {
    message: async (maxBytes) => {
      for (;;) {
        const message = takeMessage(left, maxBytes);
        if (message !== undefined) return message;
        const piece = await next();
        if (piece === undefined) throw new Error('the stream ended where a message was due');
        left.append(piece);
      }
    },
    some: async () => {
      if (left.byteLength === 0) return (await next())?.subarray();
      // No more than the piece with which the last message ended.
      const bytes = left.slice();
      left.consume(bytes.length);
      return bytes;
    },
    heldBytes: () => heldBytes + left.byteLength + stream.readBufferLength,
  };
}

/** Takes the first message off what has come; undefined where it is not whole yet. */
function takeMessage(from: Uint8ArrayList, maxBytes: number): Uint8Array | undefined {
  let sizeBytes = 0;
  for (let at = 0; at < from.byteLength; at++) {
    const byte = from.get(at);
    sizeBytes += (byte & 0x7f) * 2 ** (7 * at);
    if (sizeBytes > maxBytes || at > 4) throw new RangeError(`a message of more than ${maxBytes} bytes`);
    if (byte >= 0x80) continue;
    const endsAt = at + 1 + sizeBytes;
    if (from.byteLength < endsAt) return undefined;
    const message = from.slice(at + 1, endsAt);
    from.consume(endsAt);
    return message;
  }
  return undefined;
}
