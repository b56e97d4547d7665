/** Messages that are being read, between the parts that a command asks for. */
export interface OpenedMessages {
  /** Keeps the bytes, and gives a key for `part`. */
  add(bytes: Uint8Array): string;
  /** Bytes from `offset` on, or undefined where the message was closed meanwhile. */
  part(key: string, offset: number): Uint8Array | undefined;
}

/** Bytes in one part: far below what a reader of the control socket may leave unread. */
const partBytes = 262_144;

/** Messages in memory at once, each of up to 50 MB; the oldest gives way. */
const openedMax = 2;

/** A message that nobody asks a part of for this long is forgotten. */
const openForMs = 30_000;

export function openedMessages(): OpenedMessages {
  const opened = new Map<string, { bytes: Uint8Array; timer: NodeJS.Timeout }>();
  let last = 0;
  const forget = (key: string): void => {
    clearTimeout(opened.get(key)?.timer);
    opened.delete(key);
  };
  const keep = (key: string, bytes: Uint8Array): void => {
    forget(key);
    opened.set(key, { bytes, timer: setTimeout(() => opened.delete(key), openForMs).unref() });
  };
  return {
    add: (bytes) => {
      last += 1;
      for (const key of [...opened.keys()].slice(0, Math.max(0, opened.size + 1 - openedMax))) forget(key);
      keep(String(last), bytes);
      return String(last);
    },
    part: (key, offset) => {
      const bytes = opened.get(key)?.bytes;
      if (bytes === undefined) return undefined;
      const part = bytes.subarray(offset, offset + partBytes);
      if (offset + part.length >= bytes.length) forget(key);
      else keep(key, bytes);
      return part;
    },
  };
}
