import { type Files, fromUtf8, type RecordSource, type Segments, type Table, toUtf8 } from '@copain/core';
import { describe, expect, it } from 'vitest';

/** A store under test: opened once more over the same content, and thrown away at the end. */
export interface Opened<T> {
  store: T;
  reopen(): Promise<T>;
  dispose(): Promise<void>;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** What every Table does, whatever it is made of. */
export function tableContract(name: string, open: () => Promise<Opened<Table>>): void {
  describe(`${name} as a Table`, () => {
    it('gives back what was written, also after a restart, and undefined for the rest', async () => {
      const opened = await open();
      await opened.store.write([
        { key: 'a', value: toUtf8('1') },
        { key: 'empty', value: new Uint8Array() },
      ]);
      const again = await opened.reopen();
      expect(await again.get('a')).toEqual(toUtf8('1'));
      expect(await again.get('empty')).toEqual(new Uint8Array());
      expect(await again.get('b')).toBeUndefined();
      await opened.dispose();
    });

    it('applies all changes of one write in order, deletes included', async () => {
      const opened = await open();
      await opened.store.write([{ key: 'a', value: toUtf8('1') }]);
      await opened.store.write([
        { key: 'a', value: undefined },
        { key: 'never-there', value: undefined },
        { key: 'b', value: toUtf8('2') },
      ]);
      expect(await opened.store.get('a')).toBeUndefined();
      expect(await opened.store.get('b')).toEqual(toUtf8('2'));
      await opened.dispose();
    });

    it('lists the entries under a prefix in key order and no others', async () => {
      const opened = await open();
      const keys = ['b/2', 'a/1', 'b/10', 'b', 'c/1', 'b/', '__proto__'];
      await opened.store.write(keys.map((key) => ({ key, value: toUtf8(key) })));
      const found = await collect(opened.store.entries('b/'));
      expect(found.map(([key, value]) => [key, fromUtf8(value)])).toEqual([
        ['b/', 'b/'],
        ['b/10', 'b/10'],
        ['b/2', 'b/2'],
      ]);
      expect(await collect(opened.store.entries(''))).toHaveLength(keys.length);
      await opened.dispose();
    });

    it('keeps its own copy of a value', async () => {
      const opened = await open();
      const value = toUtf8('before');
      await opened.store.write([{ key: 'a', value }]);
      value.fill(0);
      const read = await opened.store.get('a');
      expect(read).toEqual(toUtf8('before'));
      read?.fill(0);
      expect(await opened.store.get('a')).toEqual(toUtf8('before'));
      await opened.dispose();
    });

    it('closing twice is harmless', async () => {
      const opened = await open();
      await opened.store.close();
      await opened.store.close();
      await opened.dispose();
    });
  });
}

/** What every Files does. */
export function filesContract(name: string, open: () => Promise<Opened<Files>>): void {
  describe(`${name} as Files`, () => {
    it('writes, replaces, reads, lists and removes whole files, also after a restart', async () => {
      const opened = await open();
      await opened.store.write('b.zone', toUtf8('old'));
      await opened.store.write('b.zone', toUtf8('new'));
      await opened.store.write('a', new Uint8Array());
      const again = await opened.reopen();
      expect(await again.read('b.zone')).toEqual(toUtf8('new'));
      expect(await again.read('a')).toEqual(new Uint8Array());
      expect(await again.read('c')).toBeUndefined();
      expect(await again.list()).toEqual(['a', 'b.zone']);
      await again.remove('a');
      await again.remove('a');
      expect(await again.list()).toEqual(['b.zone']);
      await opened.dispose();
    });

    it('refuses every name that could lead elsewhere', async () => {
      const opened = await open();
      for (const bad of ['', '.', '..', '../a', 'a/b', '.hidden', 'A', 'a\0', 'a'.repeat(129)])
        await expect(opened.store.write(bad, toUtf8('x'))).rejects.toThrow(RangeError);
      expect(await opened.store.list()).toEqual([]);
      await opened.dispose();
    });
  });
}

async function append(segments: Segments, text: string): Promise<string> {
  const outcome = await segments.append(toUtf8(text));
  if (outcome.kind !== 'stored') throw new Error('append failed', { cause: outcome.cause });
  return outcome.entry.id;
}

/** What every Segments does. */
export function segmentsContract(name: string, open: () => Promise<Opened<Segments>>): void {
  describe(`${name} as Segments`, () => {
    it('keeps records, oldest first, also after a restart', async () => {
      const opened = await open();
      const ids = [];
      for (const text of ['one', '', 'three']) ids.push(await append(opened.store, text));
      const again = await opened.reopen();
      expect((await collect(again.entries())).map((entry) => entry.id)).toEqual(ids);
      expect((await collect(again.entries())).map((entry) => entry.sizeBytes)).toEqual([3, 0, 5]);
      expect(await again.read(ids[2] ?? '')).toEqual(toUtf8('three'));
      expect(await again.read('nothing')).toBeUndefined();
      await opened.dispose();
    });

    it('a removed record stays removed; removing twice is no error', async () => {
      const opened = await open();
      const one = await append(opened.store, 'one');
      const two = await append(opened.store, 'two');
      await opened.store.remove(one);
      await opened.store.remove(one);
      expect(await opened.store.read(one)).toBeUndefined();
      const again = await opened.reopen();
      expect((await collect(again.entries())).map((entry) => entry.id)).toEqual([two]);
      await opened.dispose();
    });

    it('never gives an id twice and always a higher one, even when everything was removed and it was restarted', async () => {
      const opened = await open();
      const ids: string[] = [];
      let { store } = opened;
      for (let round = 0; round < 4; round++) {
        const id = await append(store, `round ${round}`);
        ids.push(id);
        await store.remove(id);
        store = await opened.reopen();
      }
      expect(new Set(ids).size).toBe(4);
      expect([...ids].sort()).toEqual(ids);
      await opened.dispose();
    });

    it('appends in flight at once all get their own record', async () => {
      const opened = await open();
      const texts = Array.from({ length: 200 }, (_, i) => `message ${i}`);
      const ids = await Promise.all(texts.map((text) => append(opened.store, text)));
      expect(new Set(ids).size).toBe(200);
      const read = await Promise.all(ids.map((id) => opened.store.read(id)));
      expect(read.map((bytes) => fromUtf8(bytes ?? new Uint8Array()))).toEqual(texts);
      await opened.dispose();
    });

    it('takes a record in pieces, and gives any part of it', async () => {
      const opened = await open();
      const text = 'piece '.repeat(1000);
      const outcome = await opened.store.append(sourceOf(text));
      if (outcome.kind !== 'stored') throw new Error('append failed', { cause: outcome.cause });
      const { id, sizeBytes } = outcome.entry;
      expect(sizeBytes).toBe(text.length);
      for (const store of [opened.store, await opened.reopen()]) {
        expect(fromUtf8((await store.read(id)) ?? new Uint8Array())).toBe(text);
        expect(await store.readPart(id, 10, 7)).toEqual(toUtf8(text.slice(10, 17)));
        expect(await store.readPart(id, text.length - 3, 100)).toEqual(toUtf8(text.slice(-3)));
        expect(await store.readPart(id, text.length + 1, 1)).toEqual(new Uint8Array());
        expect(await store.readPart('nothing', 0, 1)).toBeUndefined();
      }
      await opened.dispose();
    });

    it('gives the beginnings of all records that are there, oldest first', async () => {
      const opened = await open();
      const texts = ['first', 'x'.repeat(5000), 'gone', '', 'y'.repeat(3_000_000), 'last'];
      const ids: string[] = [];
      for (const text of texts) ids.push(await append(opened.store, text));
      await opened.store.remove(ids[2] ?? '');
      const found: { id: string; sizeBytes: number; start: string }[] = [];
      for await (const { id, sizeBytes, start } of opened.store.starts(1000))
        found.push({ id, sizeBytes, start: fromUtf8(start ?? new Uint8Array([0xff])) ?? 'unreadable' });
      const expected = texts.map((text, i) => ({
        id: ids[i],
        sizeBytes: text.length,
        start: text.slice(0, 1000),
      }));
      expect(found).toEqual(expected.filter((_, i) => i !== 2));
      await opened.dispose();
    });

    it('pieces that break off, or are not what was announced, cost no other record', async () => {
      const opened = await open();
      const texts = ['before', 'after'];
      const bad = [
        { sizeBytes: 5000, pieces: () => brokenPieces() },
        { ...sourceOf('long'.repeat(500)), sizeBytes: 1000 },
        { ...sourceOf('short'), sizeBytes: 1000 },
      ];
      const outcomes = await Promise.all([
        append(opened.store, 'before'),
        ...bad.map((source) => opened.store.append(source)),
        append(opened.store, 'after'),
      ]);
      expect(outcomes.slice(1, -1)).toMatchObject(bad.map(() => ({ kind: 'failed' })));
      const again = await opened.reopen();
      const left = await collect(again.entries());
      const read = await Promise.all(left.map(({ id }) => again.read(id)));
      expect(read.map((bytes) => fromUtf8(bytes ?? new Uint8Array()))).toEqual(texts);
      await opened.dispose();
    });
  });
}

/** The text in pieces of 100 bytes. */
function sourceOf(text: string): RecordSource {
  const bytes = toUtf8(text);
  return {
    sizeBytes: bytes.length,
    pieces: async function* () {
      for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
    },
  };
}

async function* brokenPieces(): AsyncIterable<Uint8Array> {
  yield new Uint8Array(3000);
  throw new Error('gone');
}
