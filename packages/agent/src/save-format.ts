import { concatBytes, toUtf8 } from '@copain/core';
import { type CanonicalValue, decodeCanonical, encodeCanonical, readFields } from '@copain/trust';

/**
 * What a saved box consists of, in this order: one `head`, then parts, then one `end`. Outside it is one age file; inside
 * it begins with `saveMagic`, and each frame is its length (4 bytes, big-endian) and canonical CBOR.
 */
export type SaveFrame =
  | { t: 'head'; version: 1; name: string; atMs: number; withMail: boolean }
  /**
   * A file. `config`: peer.toml itself; `beside`: below its folder; `state`: below the state folder; `outside`: named in
   * peer.toml by an absolute path, or one that leads out of that folder.
   */
  | { t: 'file'; place: 'config' | 'beside' | 'state' | 'outside'; path: string; bytes: Uint8Array }
  /** A row of a table, by the folder of the table below the state folder. */
  | { t: 'row'; table: 'db' | 'mail/index'; key: string; value: Uint8Array }
  /** A message: what friends wait for, or what waits for our own server. */
  | { t: 'message'; log: 'mail/held' | 'mail/inbox'; bytes: Uint8Array }
  /** `hash`: SHA-256 of all before this frame; `signature`: the box's own, over `saveProofBytes(hash)`. */
  | { t: 'end'; frames: number; hash: Uint8Array; signature: Uint8Array };

/** Type and version of what is inside. */
export const saveMagic: Uint8Array = toUtf8('copain-save/1\n');

/** The largest part: a zone's content (64 MiB) or a message with its frame. */
const maxSaveFrameBytes = 100_663_296;

const places = ['config', 'beside', 'state', 'outside'] as const;
const tables = ['db', 'mail/index'] as const;
const logs = ['mail/held', 'mail/inbox'] as const;

/** One frame with its length in front. */
export function encodeSaveFrame(frame: SaveFrame): Uint8Array {
  const body = encodeCanonical(frame as unknown as CanonicalValue);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, body.length);
  return concatBytes(length, body);
}

/** The frame of these bytes (without the length), or undefined where they are none. */
function decodeSaveFrame(bytes: Uint8Array): SaveFrame | undefined {
  const fields = readFields(decodeCanonical(bytes, maxSaveFrameBytes));
  const frame = readFrame(fields);
  return fields.ok ? frame : undefined;
}

function readFrame(fields: ReturnType<typeof readFields>): SaveFrame | undefined {
  const t = fields.text('t', 8);
  switch (t) {
    case 'head':
      fields.integer('version', 1, 1);
      return {
        t,
        version: 1,
        name: fields.text('name', 32),
        atMs: fields.integer('atMs', 0, 8.64e15),
        withMail: fields.flag('withMail'),
      };
    case 'file': {
      const place = places.find((one) => one === fields.text('place', 8));
      const path = fields.text('path', 4096);
      const bytes = fields.bytes('bytes', 0, maxSaveFrameBytes);
      return place === undefined || !isInside(place, path) ? undefined : { t, place, path, bytes };
    }
    case 'row': {
      const table = tables.find((one) => one === fields.text('table', 16));
      const key = fields.text('key', 512);
      const value = fields.bytes('value', 0, maxSaveFrameBytes);
      return table === undefined || key === '' ? undefined : { t, table, key, value };
    }
    case 'message': {
      const log = logs.find((one) => one === fields.text('log', 16));
      const bytes = fields.bytes('bytes', 1, maxSaveFrameBytes);
      return log === undefined ? undefined : { t, log, bytes };
    }
    case 'end':
      return {
        t,
        frames: fields.integer('frames', 1, Number.MAX_SAFE_INTEGER),
        hash: fields.bytes('hash', 32, 32),
        signature: fields.bytes('signature', 64, 64),
      };
    default:
      return undefined;
  }
}

/** A path that a restore may write to: none that leads out of the folder it is meant for. */
function isInside(place: (typeof places)[number], path: string): boolean {
  if (place === 'config') return path === '';
  const parts = path.split('/');
  const isPlain = !path.includes('\0') && !parts.some((part) => part === '' || part === '.' || part === '..');
  return isPlain && path.length <= 1024;
}

/** What the box signs of a whole file. */
export function saveProofBytes(hash: Uint8Array): Uint8Array {
  return concatBytes(toUtf8('copain-save-proof/1\n'), hash);
}

/** Cuts a stream of bytes into frames; the magic is checked first. Feed it pieces, then ask whether anything is left. */
export interface SaveReader {
  /** The frames that these bytes complete, each with its raw form; undefined where they are not a saved box. */
  push(piece: Uint8Array): { frame: SaveFrame; raw: Uint8Array }[] | undefined;
  /** Bytes of a frame that is not complete. */
  left(): number;
}

export function readSave(): SaveReader {
  let pieces: Uint8Array[] = [];
  let held = 0;
  let started = false;
  /** The first `length` bytes, once that many are there. */
  const take = (length: number): Uint8Array | undefined => {
    if (held < length) return undefined;
    const all = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : concatBytes(...pieces);
    const rest = all.subarray(length);
    pieces = rest.length > 0 ? [rest] : [];
    held = rest.length;
    return all.subarray(0, length);
  };
  let wanted: number | undefined;
  let lengthBytes = new Uint8Array();
  return {
    push: (piece) => {
      pieces.push(piece);
      held += piece.length;
      const frames: { frame: SaveFrame; raw: Uint8Array }[] = [];
      if (!started) {
        const magic = take(saveMagic.length);
        if (magic === undefined) return frames;
        if (!magic.every((byte, i) => byte === saveMagic[i])) return undefined;
        started = true;
      }
      for (;;) {
        if (wanted === undefined) {
          const head = take(4);
          if (head === undefined) return frames;
          lengthBytes = Uint8Array.from(head);
          wanted = new DataView(lengthBytes.buffer).getUint32(0);
          if (wanted === 0 || wanted > maxSaveFrameBytes) return undefined;
        }
        const body = take(wanted);
        if (body === undefined) return frames;
        wanted = undefined;
        const frame = decodeSaveFrame(body);
        if (frame === undefined) return undefined;
        frames.push({ frame, raw: concatBytes(lengthBytes, body) });
      }
    },
    left: () => held + (wanted === undefined ? 0 : 4),
  };
}
