import { mapPatchesMax } from './limits.ts';

/** From this size on, a copy costs more than asking two maps from then on. */
export const copiedMapMax = 4096;

/**
 * A map that can be changed without changing the one it is made from and without copying that: what is different stands
 * apart. For zones of 100,000 names, of which an edit changes a few. The map below must not change any more.
 */
class PatchedMap<Key, Value> implements ReadonlyMap<Key, Value> {
  readonly base: ReadonlyMap<Key, Value>;
  /** Undefined for what is not there any more. */
  readonly patches: Map<Key, Value | undefined>;
  size: number;

  constructor(base: ReadonlyMap<Key, Value>, patches: Map<Key, Value | undefined>, size: number) {
    this.base = base;
    this.patches = patches;
    this.size = size;
  }

  get(key: Key): Value | undefined {
    const patch = this.patches.get(key);
    if (patch !== undefined) return patch;
    return this.patches.has(key) ? undefined : this.base.get(key);
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  set(key: Key, value: Value): this {
    if (!this.has(key)) this.size++;
    this.patches.set(key, value);
    return this;
  }

  delete(key: Key): boolean {
    if (!this.has(key)) return false;
    this.size--;
    this.patches.set(key, undefined);
    return true;
  }

  *entries(): MapIterator<[Key, Value]> {
    for (const entry of this.base) if (!this.patches.has(entry[0])) yield entry;
    for (const [key, value] of this.patches) if (value !== undefined) yield [key, value];
  }

  *keys(): MapIterator<Key> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<Value> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.entries();
  }

  forEach(callback: (value: Value, key: Key, map: ReadonlyMap<Key, Value>) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this);
  }
}

/** A map that may be changed until it is handed on. Values are never undefined. */
export interface EditableMap<Key, Value> extends ReadonlyMap<Key, Value> {
  set(key: Key, value: Value): unknown;
  delete(key: Key): boolean;
}

/**
 * What may be changed while `map` stays as it is. Small maps are copied, as are those that have been changed in more
 * places than `mapPatchesMax` since they were copied last.
 */
export function editableCopy<Key, Value extends object>(
  map: ReadonlyMap<Key, Value>,
): EditableMap<Key, Value> {
  if (map.size <= copiedMapMax) return new Map(map);
  if (!(map instanceof PatchedMap)) return new PatchedMap(map, new Map(), map.size);
  const { base, patches, size } = map as PatchedMap<Key, Value>;
  return patches.size > mapPatchesMax ? new Map(map) : new PatchedMap(base, new Map(patches), size);
}
