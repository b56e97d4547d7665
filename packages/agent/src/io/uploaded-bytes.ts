/** What commands give to the agent in parts, since a request on the control socket is short. */
export interface UploadedBytes {
  /** Adds a part; without a key a new upload begins. Undefined where there is no such upload any more, or it is too large. */
  add(key: string | undefined, part: Uint8Array): string | undefined;
  /** All of it, once. */
  take(key: string): Uint8Array | undefined;
}

/** Uploads in memory at once; the oldest gives way. */
const uploadsMax = 2;

/** An upload to which nobody adds for this long is forgotten. */
const uploadForMs = 30_000;

/** `maxBytes`: of one upload. */
export function uploadedBytes(maxBytes: number): UploadedBytes {
  const uploads = new Map<string, { parts: Uint8Array[]; sizeBytes: number; timer: NodeJS.Timeout }>();
  let last = 0;
  const forget = (key: string): void => {
    clearTimeout(uploads.get(key)?.timer);
    uploads.delete(key);
  };
  return {
    add: (given, part) => {
      const known = given === undefined ? { parts: [], sizeBytes: 0 } : uploads.get(given);
      if (known === undefined) return undefined;
      last += given === undefined ? 1 : 0;
      const key = given ?? String(last);
      forget(key);
      const sizeBytes = known.sizeBytes + part.length;
      if (sizeBytes > maxBytes) return undefined;
      for (const old of [...uploads.keys()].slice(0, Math.max(0, uploads.size + 1 - uploadsMax))) forget(old);
      const timer = setTimeout(() => uploads.delete(key), uploadForMs).unref();
      uploads.set(key, { parts: [...known.parts, part], sizeBytes, timer });
      return key;
    },
    take: (key) => {
      const found = uploads.get(key);
      forget(key);
      return found && new Uint8Array(Buffer.concat(found.parts));
    },
  };
}
