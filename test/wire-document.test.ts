import { globSync, readFileSync } from 'node:fs';
import { type ProtocolName, protocols } from '@copain/mesh';
import { joinRefusalText, maxRecordBytes, recordKinds, roles, services } from '@copain/trust';
import { expect, it } from 'vitest';
import { protocolLimits } from '../packages/mesh/src/gate.ts';

const page = readFileSync('docs/wire.md', 'utf8');
const frameFiles = {
  join: 'packages/agent/src/join-frames.ts',
  sync: 'packages/mesh/src/sync-frames.ts',
  live: 'packages/mail/src/live-frames.ts',
  raw: 'packages/mail/src/raw-frames.ts',
  drain: 'packages/mail/src/drain-frames.ts',
  copy: 'packages/mail/src/copy-frames.ts',
  mail: 'packages/mail/src/question-frames.ts',
  policy: 'packages/mail/src/policy-frames.ts',
  bulk: 'packages/mesh/src/bulk-frames.ts',
  dialback: 'packages/mesh/src/dialback-frames.ts',
} as const;

/** The words after `t:` in the types of a file: every frame that it knows, but for those that are passed over. */
function frameTypes(file: string): string[] {
  const types = [...readFileSync(file, 'utf8').matchAll(/\bt: ('[\w-]+'(?: \| '[\w-]+')*)/g)];
  const names = types.flatMap(([, words = '']) => words.split(' | ').map((word) => word.slice(1, -1)));
  return [...new Set(names)].filter((name) => name !== 'ignored');
}

/** The part of the page under the heading that names a protocol. */
function sectionOf(protocol: string): string {
  const at = page.search(new RegExp(`^## \\d+\\. .*\`/copain/${protocol}/1\``, 'm'));
  expect(at, protocol).toBeGreaterThan(0);
  const end = page.indexOf('\n## ', at);
  return page.slice(at, end < 0 ? undefined : end);
}

it('docs/wire.md has every protocol, with a row for every frame', () => {
  for (const [protocol, ids] of Object.entries(protocols)) {
    for (const id of ids) expect(page).toContain(`\`${id}\``);
    const section = sectionOf(protocol);
    if (protocol === 'zone' || protocol === 'removed') continue;
    const types = frameTypes(frameFiles[protocol as keyof typeof frameFiles]);
    expect(types.length, protocol).toBeGreaterThan(2);
    expect(types.filter((name) => !section.includes(`\n| \`${name}\` |`))).toEqual([]);
  }
});

it('there is a test vector of every frame of the protocols that have types of frames', () => {
  const files = globSync('test/vectors/*.json').map(
    (file) => JSON.parse(readFileSync(file, 'utf8')) as object,
  );
  const vectors = files
    .flatMap((file) => Object.values(file).flat() as unknown[])
    .filter(
      (one): one is { protocol: string; fields: { t: string } } =>
        typeof one === 'object' && one !== null && 'protocol' in one,
    );
  for (const [protocol, file] of Object.entries(frameFiles)) {
    const shown = vectors.filter((one) => one.protocol.startsWith(`/copain/${protocol}/`));
    const missing = frameTypes(file).filter((name) => !shown.some(({ fields }) => fields.t === name));
    expect([protocol, missing]).toEqual([protocol, []]);
  }
});

it('docs/wire.md has every kind of record: a heading and its limit', () => {
  const headings = [...page.matchAll(/^### (.*)$/gm)].map(([, heading = '']) => heading).join('\n');
  for (const kind of recordKinds) {
    expect(headings).toContain(`\`${kind}\``);
    const limit = maxRecordBytes[kind];
    const shown = limit < 10_000 ? String(limit) : limit.toLocaleString('en');
    expect(page).toContain(`\n| \`${kind}\` | ${shown} |`);
  }
});

it('docs/wire.md has every word that records and refusals may use', () => {
  const words = [...services, ...roles, ...Object.keys(joinRefusalText)];
  expect(words.filter((word) => !new RegExp(`[\` ]${word}[\` ]`).test(page))).toEqual([]);
});

it('the bytes that docs/wire.md shows are those of the vectors', () => {
  const records = JSON.parse(readFileSync('test/vectors/records.json', 'utf8')) as {
    records: { kind: string; envelope: string }[];
  };
  const sync = JSON.parse(readFileSync('test/vectors/sync.json', 'utf8')) as Record<string, string> & {
    framed: { stream: string };
  };
  const vote = records.records.find(({ kind }) => kind === 'vote')?.envelope ?? '';
  const shown = (begins: string): string[] => {
    const [block = ''] = page.slice(page.indexOf(`\n${begins}`)).split('\n```');
    return block
      .trim()
      .split('\n')
      .map((line) => /^ *((?:[0-9a-f]+…? ?)+)/.exec(line)?.[1] ?? '')
      .flatMap((hex) => hex.trim().split(' '));
  };
  const inOrder = (pieces: readonly string[], whole: string): void => {
    let at = 0;
    for (const piece of pieces.map((one) => one.replace('…', ''))) {
      const found = whole.indexOf(piece, at);
      expect(found, piece).toBeGreaterThanOrEqual(at);
      at = found + piece.length;
    }
  };
  const votePieces = shown('0a24 ');
  expect(votePieces.length).toBeGreaterThan(15);
  inOrder(votePieces, vote);
  expect(shown('37 a5 ').join('')).toBe(sync.framed.stream);
  expect(page).toContain(`\`${sync.digest}\``);
  expect(page).toContain(`\`${sync.digestVersion1}\``);
  expect(page).toContain(`\`${sync.digestVersion2}\``);
});

it('streams and their lives in docs/wire.md are those of the gate', () => {
  const row = /^\| .*`\/copain\/([a-z]+)\/1` \|.*\| (\d+) \| (–|\d+ (?:s|min|h)) \| [a-z ]+ \|$/gm;
  const rows = [...page.matchAll(row)].map(([, name = '', streams = '', lasts = '']) => {
    const [count = '', unit] = lasts.split(' ');
    const lastsMs =
      lasts === '–' ? undefined : Number(count) * ({ s: 1000, min: 60_000, h: 3_600_000 }[unit ?? ''] ?? 0);
    return [name, { streams: Number(streams), lastsMs }] as const;
  });
  expect(rows.map(([name]) => name).sort()).toEqual(Object.keys(protocols).sort());
  for (const [name, told] of rows) expect(protocolLimits(name as ProtocolName), name).toEqual(told);
});

it('every limit that docs/wire.md names is one of the code', () => {
  const code = globSync('packages/*/src/**/*.ts')
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const named = [...page.matchAll(/\(`([a-z]+(?:[A-Z][a-z]*)+)`\)/g)].map(([, name = '']) => name);
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !new RegExp(`export (?:const|function) ${name}\\b`).test(code))).toEqual([]);
});
