import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeSaveFrame, readSave, type SaveFrame, saveMagic } from './save-format.ts';

const frames: SaveFrame[] = [
  { t: 'head', version: 1, name: 'alice', atMs: 5, withMail: true },
  { t: 'file', place: 'config', path: '', bytes: new Uint8Array([1, 2]) },
  { t: 'file', place: 'state', path: 'keys/box.key', bytes: new Uint8Array(300).fill(7) },
  { t: 'row', table: 'db', key: 'boot', value: new Uint8Array() },
  { t: 'message', log: 'mail/held', bytes: new Uint8Array(70_000).fill(9) },
  { t: 'end', frames: 5, hash: new Uint8Array(32), signature: new Uint8Array(64) },
];
const whole = Uint8Array.from([...saveMagic, ...frames.flatMap((frame) => [...encodeSaveFrame(frame)])]);

it('frames come out as they went in, in whatever pieces the bytes arrive', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: whole.length }), { maxLength: 12 }), (cuts) => {
      const reader = readSave();
      const read: SaveFrame[] = [];
      const edges = [0, ...cuts.sort((a, b) => a - b), whole.length];
      for (let i = 1; i < edges.length; i++) {
        for (const { frame } of reader.push(whole.subarray(edges[i - 1], edges[i])) ?? []) read.push(frame);
      }
      expect(read).toEqual(frames);
      expect(reader.left()).toBe(0);
    }),
    { numRuns: 30 },
  );
});

it('a file that ends early has something left, or misses its end', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (length) => {
      const reader = readSave();
      const read = reader.push(whole.subarray(0, length)) ?? [];
      expect(read.at(-1)?.frame.t).not.toBe('end');
    }),
    { numRuns: 50 },
  );
});

it('another type or version of file is refused at its first bytes', () => {
  const other = whole.slice();
  other[12] = 0x32;
  expect(readSave().push(other)).toBeUndefined();
});

it('no path leads out of the folder that it is meant for', () => {
  const paths = ['../x', 'a/../../x', '/etc/passwd', 'a//b', './x', '', 'a/.', 'x\0y'];
  for (const place of ['beside', 'state', 'outside'] as const) {
    for (const path of paths) {
      const bytes = encodeSaveFrame({ t: 'file', place, path, bytes: new Uint8Array() });
      expect(readSave().push(Uint8Array.from([...saveMagic, ...bytes])), `${place} ${path}`).toBeUndefined();
    }
  }
});
