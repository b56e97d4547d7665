import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fromUtf8, type Segments, toUtf8 } from '@copain/core';
import { expect, it } from 'vitest';
import { segmentsContract } from './contract-suite.ts';
import { openSegments } from './segment-store.ts';

const folder = () => mkdtemp(join(tmpdir(), 'copain-segments-'));

async function texts(segments: Segments): Promise<string[]> {
  const all: string[] = [];
  for await (const { id } of segments.entries()) {
    const bytes = await segments.read(id);
    if (bytes) all.push(fromUtf8(bytes) ?? '?');
  }
  return all;
}

async function append(segments: Segments, text: string): Promise<string> {
  const outcome = await segments.append(toUtf8(text));
  if (outcome.kind !== 'stored') throw new Error('append failed', { cause: outcome.cause });
  return outcome.entry.id;
}

segmentsContract('openSegments', async () => {
  const dir = await folder();
  let current: Segments = await openSegments(dir, { segmentBytes: 200 });
  return {
    store: current,
    reopen: async () => {
      await current.close();
      current = await openSegments(dir, { segmentBytes: 200 });
      return current;
    },
    dispose: async () => {
      await current.close();
      await rm(dir, { recursive: true });
    },
  };
});

it('a tail torn at any byte leaves every record before it and nothing else', async () => {
  const source = await folder();
  const segments = await openSegments(source);
  await append(segments, 'first');
  await append(segments, 'second');
  await append(segments, 'third');
  await segments.close();
  const name = (await readdir(source))[0] ?? '';
  const sizeBytes = (await readFile(join(source, name))).length;
  const ends = [8, 8 + 25, 8 + 25 + 26, sizeBytes];
  for (let cut = 0; cut <= sizeBytes; cut++) {
    const dir = await folder();
    await copyFile(join(source, name), join(dir, name));
    await truncate(join(dir, name), cut);
    const torn = await openSegments(dir);
    const whole = ends.filter((end) => end <= cut).length - 1;
    expect([cut, await texts(torn)]).toEqual([
      cut,
      ['first', 'second', 'third'].slice(0, Math.max(0, whole)),
    ]);
    await append(torn, 'after');
    await torn.close();
    const again = await openSegments(dir);
    expect((await texts(again)).at(-1)).toBe('after');
    expect(again.damagedRecords).toBe(0);
    await again.close();
    await rm(dir, { recursive: true });
  }
  await rm(source, { recursive: true });
});

it('a flipped byte anywhere costs at most its own record, is counted, and is never served', async () => {
  const source = await folder();
  const segments = await openSegments(source);
  const written = ['first', 'second', 'third'];
  for (const text of written) await append(segments, text);
  await segments.close();
  const name = (await readdir(source))[0] ?? '';
  const bytes = await readFile(join(source, name));
  for (let at = 8; at < bytes.length; at++) {
    const dir = await folder();
    const bad = Uint8Array.from(bytes);
    bad[at] = (bad[at] ?? 0) ^ 0x10;
    await writeFile(join(dir, name), bad);
    const opened = await openSegments(dir);
    const left = await texts(opened);
    const lost = at < 33 ? 'first' : at < 59 ? 'second' : 'third';
    expect([at, left]).toEqual([at, written.filter((text) => text !== lost)]);
    expect(opened.damagedRecords).toBe(lost === 'third' ? 0 : 1);
    await opened.close();
    await rm(dir, { recursive: true });
  }
  await rm(source, { recursive: true });
});

it('a record that rots while it is open is an error when read', async () => {
  const dir = await folder();
  const segments = await openSegments(dir);
  const id = await append(segments, 'body');
  const path = join(dir, (await readdir(dir))[0] ?? '');
  const bytes = await readFile(path);
  bytes[bytes.length - 1] = 0;
  await writeFile(path, bytes);
  await expect(segments.read(id)).rejects.toMatchObject({ detail: { code: 'DAMAGED' } });
  await segments.close();
  await rm(dir, { recursive: true });
});

it('a sealed file goes when its last record is removed, but not while it keeps an older record buried', async () => {
  const dir = await folder();
  const segments = await openSegments(dir, { segmentBytes: 50 });
  const files = async () => (await readdir(dir)).length;
  const keep = await append(segments, 'keep'.repeat(10));
  const buried = await append(segments, 'buried in file 1'.repeat(3));
  const later = await append(segments, 'in file 3'.repeat(6));
  await segments.remove(buried);
  await append(segments, 'x'.repeat(60));
  await segments.remove(later);
  expect(await texts(segments)).toEqual(['keep'.repeat(10), 'x'.repeat(60)]);
  await segments.remove(keep);
  await segments.close();
  const again = await openSegments(dir, { segmentBytes: 50 });
  expect(await texts(again)).toEqual(['x'.repeat(60)]);
  expect(await files()).toBeLessThanOrEqual(4);
  for await (const { id } of again.entries()) await again.remove(id);
  await again.close();
  const empty = await openSegments(dir, { segmentBytes: 50 });
  expect(await texts(empty)).toEqual([]);
  await empty.close();
  await (await openSegments(dir)).close();
  expect(await files()).toBe(1);
  await rm(dir, { recursive: true });
});

it('appends that arrive while a group is synced share the next sync', async () => {
  const dir = await folder();
  let syncs = 0;
  const segments = await openSegments(dir, {
    sync: async (file) => {
      syncs += 1;
      await file.datasync();
    },
  });
  const before = syncs;
  await Promise.all(Array.from({ length: 100 }, (_, i) => append(segments, `m${i}`)));
  expect(syncs - before).toBe(1);
  await segments.close();
  await rm(dir, { recursive: true });
});

it('a failed sync fails its whole group, leaves nothing of it, and the next append goes into a new file', async () => {
  const dir = await folder();
  let broken = false;
  const used: unknown[] = [];
  const segments = await openSegments(dir, {
    sync: async (file) => {
      if (broken) {
        broken = false;
        used.push(file);
        throw new Error('EIO');
      }
      expect(used).not.toContain(file);
      await file.datasync();
    },
  });
  await append(segments, 'before');
  broken = true;
  const group = await Promise.all([segments.append(toUtf8('lost 1')), segments.append(toUtf8('lost 2'))]);
  expect(group.map(({ kind }) => kind)).toEqual(['failed', 'failed']);
  expect(await texts(segments)).toEqual(['before']);
  await append(segments, 'after');
  await segments.close();
  expect(await readdir(dir)).toHaveLength(2);
  const again = await openSegments(dir);
  expect(await texts(again)).toEqual(['before', 'after']);
  await again.close();
  await rm(dir, { recursive: true });
});

it('a file that cannot even be closed after a failed sync fails its group and nothing else', async () => {
  const dir = await folder();
  let broken = false;
  const segments = await openSegments(dir, {
    sync: async (file) => {
      if (!broken) return await file.datasync();
      broken = false;
      const close = file.close.bind(file);
      file.close = async () => {
        await close();
        throw new Error('EIO');
      };
      throw new Error('EIO');
    },
  });
  await append(segments, 'before');
  broken = true;
  expect((await segments.append(toUtf8('lost'))).kind).toBe('failed');
  await append(segments, 'after');
  expect(await texts(segments)).toEqual(['before', 'after']);
  await segments.close();
  await rm(dir, { recursive: true });
});

it('a removal that could not be written rejects and the record stays', async () => {
  const dir = await folder();
  let broken = false;
  const segments = await openSegments(dir, {
    sync: async (file) => {
      if (broken) throw new Error('ENOSPC');
      await file.datasync();
    },
  });
  const id = await append(segments, 'stays');
  broken = true;
  await expect(segments.remove(id)).rejects.toMatchObject({ detail: { code: 'DISK' } });
  expect((await segments.append(toUtf8('no room'))).kind).toBe('failed');
  broken = false;
  expect(await texts(segments)).toEqual(['stays']);
  await segments.remove(id);
  await append(segments, 'room again');
  expect(await texts(segments)).toEqual(['room again']);
  await segments.close();
  expect((await segments.append(toUtf8('closed'))).kind).toBe('failed');
  await rm(dir, { recursive: true });
});

it('ids go on rising after an opening that could not begin a file, also where nothing else was left', async () => {
  const dir = await folder();
  const first = await openSegments(dir);
  const before = await append(first, 'gone');
  await first.remove(before);
  await first.close();
  const full = await openSegments(dir, { sync: () => Promise.reject(new Error('ENOSPC')) });
  expect((await full.append(toUtf8('no room'))).kind).toBe('failed');
  await full.close();
  const again = await openSegments(dir);
  expect((await append(again, 'after')) > before).toBe(true);
  await again.close();
  await rm(dir, { recursive: true });
});

it('kill -9 in the middle of appending loses nothing that was reported as stored', async () => {
  const dir = await folder();
  const program = `
    import { openSegments } from ${JSON.stringify(new URL('./segment-store.ts', import.meta.url).href)};
    const segments = await openSegments(${JSON.stringify(dir)}, { segmentBytes: 4096 });
    for (let i = 0; ; i++) {
      const outcomes = await Promise.all([0, 1, 2].map((j) => segments.append(Buffer.from(i + '.' + j))));
      for (const [j, { kind }] of outcomes.entries()) if (kind === 'stored') console.log(i + '.' + j);
    }`;
  for (const stopAfter of [1, 40, 150]) {
    const child = spawn(
      process.execPath,
      ['--conditions=@copain/source', '--input-type=module', '--eval', program],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const reported: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      reported.push(line);
      if (reported.length === stopAfter) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
    const segments = await openSegments(dir);
    const kept = new Set(await texts(segments));
    expect(reported.filter((text) => !kept.has(text))).toEqual([]);
    for await (const { id } of segments.entries()) await segments.remove(id);
    await segments.close();
  }
  await rm(dir, { recursive: true });
}, 30_000);
