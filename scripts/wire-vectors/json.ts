import { fromHex, toHex } from '@copain/core';
import type { CanonicalValue } from '@copain/trust';

/** A value of a record or frame as JSON: byte strings are `{ "hex": "…" }`, all else is itself. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export function toJson(value: CanonicalValue | undefined): Json {
  if (value === undefined || value === null || typeof value !== 'object') return value ?? null;
  if (value instanceof Uint8Array) return { hex: toHex(value) };
  if (Array.isArray(value)) return value.map(toJson);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]));
}

export function fromJson(json: Json): CanonicalValue {
  if (json === null || typeof json !== 'object') return json;
  if (Array.isArray(json)) return json.map(fromJson);
  const { hex, ...others } = json;
  if (typeof hex === 'string' && Object.keys(others).length === 0) return bytesOf(hex);
  return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, fromJson(item)]));
}

export function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes === undefined) throw new TypeError(`not hexadecimal: ${hex}`);
  return bytes;
}
