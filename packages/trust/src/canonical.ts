import { equalBytes } from '@copain/core';
import { decode, encode } from 'cborg';

/** What a record or a message may consist of. Numbers are safe integers only. */
export type CanonicalValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly CanonicalValue[]
  | { readonly [key: string]: CanonicalValue | undefined };

/**
 * Canonical CBOR (RFC 8949 §4.2): shortest integers, definite lengths, keys in length-first order. A field whose value
 * is undefined is left out, so that optional fields change nothing when absent. Throws on what a record may not
 * contain (fractions, unsafe integers), since that is our own mistake.
 */
export function encodeCanonical(value: CanonicalValue): Uint8Array {
  return encode(withoutUndefined(value));
}

/**
 * The value of canonical CBOR bytes, or undefined where they are anything else: longer than `maxBytes` (checked before
 * parsing), malformed, not in canonical form (decode, encode again, bytes must be equal), with fractions, unsafe
 * integers, tags or other simple values. Maps come back as plain objects without a prototype, so `__proto__` is a key
 * like any other.
 */
export function decodeCanonical(bytes: Uint8Array, maxBytes: number): CanonicalValue | undefined {
  const decoded = decodeStored(bytes, maxBytes);
  return decoded !== undefined && equalBytes(encodeCanonical(decoded), bytes) ? decoded : undefined;
}

/**
 * The same without the second encoding, which is half of the work: for bytes that were checked before they were stored
 * here. Bytes of another form may give a value.
 */
export function decodeStored(bytes: Uint8Array, maxBytes: number): CanonicalValue | undefined {
  if (bytes.length > maxBytes) return undefined;
  try {
    return plain(
      decode(bytes, {
        strict: true,
        useMaps: true,
        allowIndefinite: false,
        allowUndefined: false,
        allowNaN: false,
        allowInfinity: false,
        allowBigInt: false,
        rejectDuplicateMapKeys: true,
      }),
    );
  } catch {
    // cborg throws Error, TypeError and RangeError (deep nesting) alike; for the caller all of them mean "refused".
    return undefined;
  }
}

class NotCanonical extends Error {}

function plain(value: unknown): CanonicalValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new NotCanonical();
    return value;
  }
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) {
    const object: { [key: string]: CanonicalValue } = Object.create(null);
    for (const [key, item] of value) {
      if (typeof key !== 'string') throw new NotCanonical();
      object[key] = plain(item);
    }
    return object;
  }
  throw new NotCanonical();
}

function withoutUndefined(value: CanonicalValue): unknown {
  if (value instanceof Uint8Array || value === null || typeof value !== 'object') {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      throw new RangeError('a record holds safe integers only');
    }
    return value;
  }
  if (Array.isArray(value)) return value.map(withoutUndefined);
  const map = new Map<string, unknown>();
  for (const [key, item] of Object.entries(value as { [key: string]: CanonicalValue | undefined })) {
    if (item !== undefined) map.set(key, withoutUndefined(item));
  }
  return map;
}

/**
 * Reads the fields of one decoded map by name and type. A reader that meets a missing or wrong field returns
 * undefined, and `ok` becomes false for good, so that a record is accepted only when every field was right.
 *
 *     const fields = readFields(decodeCanonical(bytes, 1024));
 *     const serial = fields.integer('serial', 0, 0xffffffff);
 *     if (!fields.ok || serial === undefined) return undefined;
 */
export interface FieldReader {
  readonly ok: boolean;
  integer(name: string, min: number, max: number): number;
  text(name: string, maxLength: number): string;
  bytes(name: string, minLength: number, maxLength: number): Uint8Array;
  flag(name: string): boolean;
  /** Texts, each of at most `maxLength`, at most `maxCount` of them. */
  texts(name: string, maxCount: number, maxLength: number): string[];
  list(name: string, maxCount: number): readonly CanonicalValue[];
  /** A field as it stands, for a reader of its own; a missing one makes all its fields missing. */
  value(name: string): CanonicalValue | undefined;
  /** Is the field there at all (and not null)? */
  has(name: string): boolean;
  /** Marks the record as refused, for rules that the readers cannot express. */
  refuse(): void;
  /**
   * Refuses the record if it names, in `crit`, a field that this reader was never asked for. Unknown fields not named
   * there are ignored. Call it last.
   */
  checkCritical(): void;
}

/** A reader over `value`; anything but a map makes every field missing. */
export function readFields(value: CanonicalValue | undefined): FieldReader {
  const isMap =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
  const map = (isMap ? value : {}) as { readonly [key: string]: CanonicalValue | undefined };
  const known = new Set(['crit']);
  let ok = isMap;
  const take = (name: string): CanonicalValue | undefined => {
    known.add(name);
    return Object.hasOwn(map, name) ? map[name] : undefined;
  };
  const wrong = <T>(instead: T): T => {
    ok = false;
    return instead;
  };
  return {
    get ok() {
      return ok;
    },
    integer: (name, min, max) => {
      const item = take(name);
      return typeof item === 'number' && item >= min && item <= max ? item : wrong(0);
    },
    text: (name, maxLength) => {
      const item = take(name);
      return typeof item === 'string' && item.length <= maxLength ? item : wrong('');
    },
    bytes: (name, minLength, maxLength) => {
      const item = take(name);
      return item instanceof Uint8Array && item.length >= minLength && item.length <= maxLength
        ? item
        : wrong(new Uint8Array());
    },
    flag: (name) => {
      const item = take(name);
      return typeof item === 'boolean' ? item : wrong(false);
    },
    texts: (name, maxCount, maxLength) => {
      const item = take(name);
      if (!Array.isArray(item) || item.length > maxCount) return wrong([]);
      const texts = item.filter((one): one is string => typeof one === 'string' && one.length <= maxLength);
      return texts.length === item.length ? texts : wrong([]);
    },
    list: (name, maxCount) => {
      const item = take(name);
      return Array.isArray(item) && item.length <= maxCount ? item : wrong([]);
    },
    value: take,
    has: (name) => {
      const item = take(name);
      return item !== undefined && item !== null;
    },
    refuse: () => {
      ok = false;
    },
    checkCritical: () => {
      const critical = map.crit;
      if (critical === undefined) return;
      if (!Array.isArray(critical) || critical.some((name) => typeof name !== 'string' || !known.has(name)))
        ok = false;
    },
  };
}
