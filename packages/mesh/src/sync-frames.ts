import {
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  keyFromPeerId,
  type RecordKind,
  readFields,
  recordKinds,
} from '@copain/trust';
import { maxHashesPerFrame, maxSyncFrameBytes } from './limits.ts';

/** What two friends say to each other on the sync stream. */
export type SyncFrame =
  | {
      t: 'hello';
      name: string;
      version: string;
      bootId: Uint8Array;
      previousBootId: Uint8Array;
      digest: Uint8Array;
      nowMs: number;
    }
  /** `heard`: tags of the friends heard in the last 30 s, 4 bytes each. */
  | { t: 'beat'; counter: number; rttMicros: number; digest: Uint8Array; heard: Uint8Array }
  | { t: 'ack'; counter: number; digest: Uint8Array; heard: Uint8Array }
  /** `reached`: tags of the boxes that were sent this record already. */
  | { t: 'push'; kind: RecordKind; reached: Uint8Array; envelope: Uint8Array }
  | { t: 'have' | 'want'; hashes: Uint8Array }
  /** In answer to a hello: the boot id that the sender saw of this box before, empty where he saw none. */
  | { t: 'boot'; lastSeen: Uint8Array }
  /** Which records of mine do you have? `hashes`: those that I have. Answered by pushes of the others and `own-done`. */
  | { t: 'ask-own'; hashes: Uint8Array }
  | { t: 'own-done' }
  /** A frame, or a kind of record, that a newer version knows and this one does not: passed over. */
  | { t: 'ignored' };

/** Four bytes that stand for a peer in beats and pushes: the end of its key. A clash costs one push, never a fact. */
export function peerTag(peer: string): Uint8Array {
  const known = tags.get(peer);
  if (known !== undefined) return known;
  const tag = (keyFromPeerId(peer) ?? new Uint8Array(32)).slice(28);
  // Every beat names every friend, and reading a PeerId's base58 costs more than all the rest of the beat.
  if (tags.size < maxKnownTags) tags.set(peer, tag);
  return tag;
}

/** Tags worked out before; several times as many as a circle has boxes. */
const tags = new Map<string, Uint8Array>();
const maxKnownTags = 4096;

/** The tags of several peers, one after the other. */
export function peerTags(peers: Iterable<string>): Uint8Array {
  const all = [...peers];
  const list = new Uint8Array(4 * all.length);
  all.forEach((peer, i) => {
    list.set(peerTag(peer), 4 * i);
  });
  return list;
}

const tagNumber = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 24) |
  ((bytes[at + 1] ?? 0) << 16) |
  ((bytes[at + 2] ?? 0) << 8) |
  (bytes[at + 3] ?? 0);

/** Of `peers`, those whose tag is in the list. */
export function peersInTags(tags: Uint8Array, peers: Iterable<string>): string[] {
  const present = new Set<number>();
  for (let at = 0; at + 4 <= tags.length; at += 4) present.add(tagNumber(tags, at));
  return [...peers].filter((peer) => present.has(tagNumber(peerTag(peer), 0)));
}

export function encodeSyncFrame(frame: SyncFrame): Uint8Array {
  return encodeCanonical(frame as unknown as CanonicalValue);
}

/** The frame, or undefined where the bytes are none; the caller then gives up the stream. */
export function decodeSyncFrame(bytes: Uint8Array): SyncFrame | undefined {
  const fields = readFields(decodeCanonical(bytes, maxSyncFrameBytes));
  const t = fields.text('t', 8);
  const frame = readFrame(t, fields);
  return fields.ok ? frame : undefined;
}

function readFrame(t: string, fields: ReturnType<typeof readFields>): SyncFrame {
  switch (t) {
    case 'hello':
      return {
        t,
        name: fields.text('name', 32),
        version: fields.text('version', 64),
        bootId: fields.bytes('bootId', 16, 16),
        previousBootId: fields.bytes('previousBootId', 0, 16),
        digest: fields.bytes('digest', 8, 8),
        nowMs: fields.integer('nowMs', 0, 8.64e15),
      };
    case 'beat':
      return {
        t,
        counter: fields.integer('counter', 0, Number.MAX_SAFE_INTEGER),
        rttMicros: fields.integer('rttMicros', 0, 600_000_000),
        digest: fields.bytes('digest', 8, 8),
        heard: fields.bytes('heard', 0, 4 * 512),
      };
    case 'ack':
      return {
        t,
        counter: fields.integer('counter', 0, Number.MAX_SAFE_INTEGER),
        digest: fields.bytes('digest', 8, 8),
        heard: fields.bytes('heard', 0, 4 * 512),
      };
    case 'push': {
      const kind = recordKinds.find((one) => one === fields.text('kind', 16));
      const reached = fields.bytes('reached', 0, 4 * 512);
      const envelope = fields.bytes('envelope', 1, maxSyncFrameBytes);
      return kind === undefined ? { t: 'ignored' } : { t, kind, reached, envelope };
    }
    case 'have':
    case 'want':
      return { t, hashes: fields.bytes('hashes', 0, 8 * maxHashesPerFrame) };
    case 'boot':
      return { t, lastSeen: fields.bytes('lastSeen', 0, 16) };
    case 'ask-own':
      return { t, hashes: fields.bytes('hashes', 0, 8 * maxHashesPerFrame) };
    case 'own-done':
      return { t };
    default:
      return { t: 'ignored' };
  }
}
