import fc from 'fast-check';
import { expect, it } from 'vitest';
import { judgeFile, type ZoneBase } from './zone-base.ts';

const published = (content: string | undefined): ZoneBase => ({ content, pushed: undefined });
const edited = { hash: 'file', differs: true };
const now = { head: 'v3', maySign: true, wanted: false, force: false };

it('an edit of the published file is published, and waits while nothing may be signed', () => {
  expect(judgeFile(published('v3'), edited, now)).toBe('publish');
  expect(judgeFile(published('v3'), edited, { ...now, maySign: false })).toBe('waiting');
  expect(judgeFile(published('v3'), edited, { ...now, maySign: false, force: true })).toBe('publish');
});

it('the first file of a zone is based on nothing', () => {
  expect(judgeFile(published(undefined), edited, { ...now, head: undefined })).toBe('publish');
});

it('a file of an older version is held until the person asks for it', () => {
  expect(judgeFile(published('v1'), edited, now)).toBe('behind');
  expect(judgeFile(published(undefined), edited, now)).toBe('behind');
  expect(judgeFile(published('v1'), edited, { ...now, wanted: true })).toBe('publish');
});

it('what was asked for counts later only for this file on top of this head', () => {
  const asked: ZoneBase = { content: 'v1', pushed: { file: 'file', head: 'v3' } };
  expect(judgeFile(asked, edited, now)).toBe('publish');
  expect(judgeFile(asked, { ...edited, hash: 'other' }, now)).toBe('behind');
  expect(judgeFile(asked, edited, { ...now, head: 'v4' })).toBe('behind');
});

it('unless it is asked for, nothing replaces a head that it is not based on; unsigned or forced, nothing else passes', () => {
  const anyHash = fc.option(fc.constantFrom('v1', 'v2', 'v3'), { nil: undefined });
  fc.assert(
    fc.property(
      anyHash,
      anyHash,
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      (content, head, maySign, wanted, force) => {
        const verdict = judgeFile(published(content), edited, { head, maySign, wanted, force });
        if (verdict === 'publish') {
          expect(maySign || force).toBe(true);
          expect(head === undefined || content === head || wanted).toBe(true);
        }
      },
    ),
  );
});

it('a file that says what is published is never in anybody’s way', () => {
  expect(judgeFile(published('v1'), { hash: 'file', differs: false }, { ...now, maySign: false })).toBe(
    'same',
  );
});
