import { decodeCanonical, encodeCanonical, type FieldReader, readFields } from '@copain/trust';
import { type ClientInfo, encodeClient, readClient } from './client-info.ts';
import { chunkBytes, frameMaxBytes } from './limits.ts';

/** The version both sides speak; the protocol name `/copain/raw/1` carries the same number. */
export const rawVersion = 1;

/**
 * One connection of somebody's mail server, between a friend and the owner's agent. The friend says `hello`; the owner's
 * agent answers `ready` once its MTA has greeted, or `away`; then both send `bytes` as they come. The end of a direction is
 * the end of the stream in that direction.
 */
export type RawFrame =
  | { t: 'hello'; version: number; client: ClientInfo }
  | { t: 'ready' }
  | { t: 'away'; why: string }
  | { t: 'bytes'; bytes: Uint8Array };

/** `bytes` has 1 to `chunkBytes` of them; `why` is cut to 200 characters. */
export function encodeRawFrame(frame: RawFrame): Uint8Array {
  switch (frame.t) {
    case 'hello':
      return encodeCanonical({ t: 'hello', v: frame.version, client: encodeClient(frame.client) });
    case 'ready':
      return encodeCanonical({ t: 'ready' });
    case 'away':
      return encodeCanonical({ t: 'away', why: frame.why.slice(0, 200) });
    case 'bytes':
      return encodeCanonical({ t: 'bytes', b: frame.bytes });
  }
}

/** The frame from the other box, or undefined where it is none. */
export function decodeRawFrame(frame: Uint8Array): RawFrame | undefined {
  const fields = readFields(decodeCanonical(frame, frameMaxBytes));
  const read = readFrame(fields);
  return fields.ok ? read : undefined;
}

function readFrame(fields: FieldReader): RawFrame | undefined {
  switch (fields.text('t', 8)) {
    case 'hello': {
      const hello: RawFrame = {
        t: 'hello',
        version: fields.integer('v', 1, 0xffff),
        client: readClient(fields),
      };
      return hello;
    }
    case 'ready':
      return { t: 'ready' };
    case 'away':
      return { t: 'away', why: fields.text('why', 200) };
    case 'bytes':
      return { t: 'bytes', bytes: fields.bytes('b', 1, chunkBytes) };
    default:
      fields.refuse();
      return undefined;
  }
}
