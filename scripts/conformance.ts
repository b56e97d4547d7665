import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  type Answerer,
  buildZone,
  canonicalRdata,
  createAnswerer,
  decodeMessage,
  encodeMessage,
  isAtOrBelow,
  type MasterRecord,
  type Message,
  type MessageRecord,
  nameKey,
  nameOf,
  nameToText,
  parseMasterFile,
  RecordType,
  rcodeToText,
  rdataToText,
  typeFromText,
  typeToText,
} from '@copain/dns';
import { sha1 } from '@copain/dns/io';
import { type PowerdnsCase, powerdnsHabit, recordedAnswer } from './conformance-powerdns.ts';
import { judgeZoneCheck, type ZoneCheckCase } from './conformance-zone-check.ts';
import type { RecordedAnswer } from './recorded-answer.ts';

interface AnswerCase {
  id: string;
  origin: string;
  zone?: string[];
  zones?: string;
  q: [name: string, type: string];
  edns?: { size: number; do: boolean };
  responses: RecordedAnswer[];
}

interface ZoneFileCase {
  case: string;
  origin: string;
  default_ttl: number;
  input_b64: string;
  expect: (unknown[] | { error?: string; warning?: string })[];
}

interface PacketCase {
  id: string;
  b64: string;
}

/** A text says what is wrong, or why nothing is judged. `additional` is judged apart, and only for answers. */
interface Verdict {
  id: string;
  wrong: string | undefined;
  notJudged?: string;
  additional?: boolean;
  /** Did NSD, Knot and BIND all give one answer, additional section and all? Then there is one right one. */
  isUnanimous?: boolean;
}

/** The servers an answer may agree with. */
const anchors = ['nsd', 'knot', 'bind'];
/** The rule of the packet set: each ends in a message or a clean error within this time. */
const packetMs = 5;
const shownMax = 20;

function readCases(file: string): unknown[] {
  const bytes = readFileSync(file);
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

function readRecords(lines: string[], origin: string): MasterRecord[] {
  return parseMasterFile({ text: lines.join('\n'), file: 'case', origin: nameOf(origin), defaultTtl: 0 })
    .records;
}

function answererOf(zones: { origin: string; lines: string[] }[]): Answerer {
  const served = zones.map(({ origin, lines }) => {
    const records = readRecords(lines, origin).filter(({ owner }) => isAtOrBelow(owner, nameOf(origin)));
    const built = buildZone(nameOf(origin), records);
    if (built.kind === 'refused') throw new Error(`${origin}: ${built.text}`);
    return { zone: built.zone, expired: false };
  });
  return createAnswerer(served, { sha1 });
}

const answererOfFolder = new Map<string, Answerer>();

function answererOfCase(one: AnswerCase, folder: string): Answerer {
  if (one.zones === undefined) return answererOf([{ origin: one.origin, lines: one.zone ?? [] }]);
  const path = join(folder, one.zones);
  let answerer = answererOfFolder.get(path);
  if (!answerer) {
    const files = readdirSync(path);
    answerer = answererOf(
      files.map((file) => ({ origin: `${file}.`, lines: [readFileSync(join(path, file), 'latin1')] })),
    );
    answererOfFolder.set(path, answerer);
  }
  return answerer;
}

function queryOf({ q: [name, type], edns }: AnswerCase): Uint8Array {
  const opt: MessageRecord[] = edns
    ? [
        {
          owner: nameOf('.'),
          type: RecordType.OPT,
          class: edns.size,
          ttl: edns.do ? 0x8000 : 0,
          rdata: new Uint8Array(),
        },
      ]
    : [];
  const question = { name: nameOf(name), type: typeFromText(type) ?? 0, class: 1 };
  const query = encodeMessage({
    id: 1,
    flags: 0,
    questions: [question],
    answers: [],
    authority: [],
    additional: opt,
  });
  if (!query) throw new Error(`${name} is no question`);
  return query;
}

function recordMark({
  owner,
  ttl,
  type,
  rdata,
}: {
  owner: Uint8Array;
  ttl: number;
  type: number;
  rdata: Uint8Array;
}): string {
  const data = Buffer.from(canonicalRdata(type, rdata)).toString('latin1').toLowerCase();
  return `${nameKey(owner)}|${ttl}|${type}|${data}`;
}

function sameSet(ours: readonly string[], theirs: readonly string[]): boolean {
  const a = new Set(ours);
  const b = new Set(theirs);
  return a.size === b.size && [...a].every((item) => b.has(item));
}

/** RRSIGs over NS count as NS: both may be added to a positive answer or left out. */
function isAboutNs({ type, rdata }: { type: number; rdata: Uint8Array }): boolean {
  return (
    type === RecordType.NS || (type === RecordType.RRSIG && rdata[0] === 0 && rdata[1] === RecordType.NS)
  );
}

function rcodeOf(message: Message): string {
  const opt = message.additional.find(({ type }) => type === RecordType.OPT);
  return rcodeToText((message.flags & 15) | (((opt?.ttl ?? 0) >>> 24) << 4));
}

function agrees(ours: Message, recorded: RecordedAnswer): { rest: boolean; additional: boolean } {
  const authoritative = (ours.flags & 0x0400) !== 0;
  const theirs = {
    answer: readRecords(recorded.answer, '.'),
    authority: readRecords(recorded.authority, '.'),
    additional: readRecords(recorded.additional, '.'),
  };
  const optional = authoritative && ours.answers.length > 0;
  const kept = <T extends { type: number; rdata: Uint8Array }>(records: T[]) =>
    records.filter((one) => !optional || !isAboutNs(one));
  const rest =
    rcodeOf(ours) === recorded.rcode &&
    authoritative === recorded.flags.includes('AA') &&
    sameSet(ours.answers.map(recordMark), theirs.answer.map(recordMark)) &&
    sameSet(kept(ours.authority).map(recordMark), kept(theirs.authority).map(recordMark));
  const own = ours.additional.filter(({ type }) => type !== RecordType.OPT);
  return { rest, additional: rest && sameSet(own.map(recordMark), theirs.additional.map(recordMark)) };
}

function show(message: Message): string {
  const section = (records: MessageRecord[]) =>
    records
      .map(
        ({ owner, ttl, type, rdata }) =>
          `      ${nameToText(owner)} ${ttl} ${typeToText(type)} ${rdataToText(type, rdata)}`,
      )
      .join('\n');
  const { answers, authority, additional } = message;
  return `    ours: ${rcodeOf(message)}${message.flags & 0x0400 ? ' AA' : ''}\n${[answers, authority, additional].map(section).join('\n    --\n')}`;
}

function judgeAnswer(one: AnswerCase, folder: string): Verdict {
  const answerer = answererOfCase(one, folder);
  const query = queryOf(one);
  const over = (transport: 'udp' | 'tcp') =>
    decodeMessage(answerer.answer(query, { transport, address: '127.0.0.1', nowMs: 0 }) ?? new Uint8Array());
  const first = over('udp');
  const ours = first && first.flags & 0x0200 ? over('tcp') : first;
  if (!ours) return { id: one.id, wrong: 'no answer, or a malformed one' };
  const judged = one.responses
    .filter(({ servers }) => servers.some((server) => anchors.includes(server)))
    .map((recorded) => agrees(ours, recorded));
  const right = judged.some(({ rest }) => rest);
  return {
    id: one.id,
    wrong: right
      ? undefined
      : `${one.q.join(' ')}\n${show(ours)}\n    recorded: ${JSON.stringify(one.responses)}`,
    additional: judged.some(({ additional }) => additional),
    isUnanimous: judged.length === 1,
  };
}

function judgeZoneFile(one: ZoneFileCase, folder: string): Verdict {
  const text = Buffer.from(one.input_b64, 'base64').toString('latin1');
  const includes = join(folder, 'zonefile-knot-includes');
  const parsed = parseMasterFile({
    text,
    file: one.case,
    origin: nameOf(one.origin),
    defaultTtl: one.default_ttl,
    include: (path) => {
      const file = path.startsWith('@TMPDIR@') ? path.replace('@TMPDIR@', includes) : join(includes, path);
      try {
        return { kind: 'text', file, text: readFileSync(file, 'latin1') };
      } catch (error) {
        return { kind: 'problem', text: String(error) };
      }
    },
  });
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex').toUpperCase();
  const ours = parsed.records.map((record) =>
    JSON.stringify([hex(record.owner), 1, record.ttl, record.type, hex(record.rdata)]),
  );
  const theirs = one.expect.filter(Array.isArray).map((record) => JSON.stringify(record));
  const differs = ours.findIndex((record, index) => record !== theirs[index]);
  const errorExpected = one.expect.some((entry) => !Array.isArray(entry) && entry.error !== undefined);
  const wrong =
    ours.length !== theirs.length || differs >= 0
      ? `record ${differs < 0 ? Math.min(ours.length, theirs.length) : differs} of ${theirs.length} differs: ${ours[differs]} for ${theirs[differs]}`
      : errorExpected && parsed.problems.length === 0
        ? 'no error where one is expected'
        : undefined;
  return { id: one.case, wrong };
}

function judgePacket(one: PacketCase): Verdict {
  const bytes = Buffer.from(one.b64, 'base64');
  const timed = () => {
    const startedAt = performance.now();
    decodeMessage(bytes);
    return performance.now() - startedAt;
  };
  const message = decodeMessage(bytes);
  // The least of three: another process may have had the processor.
  const tookMs = Math.min(timed(), timed(), timed());
  if (tookMs > packetMs) return { id: one.id, wrong: `took ${tookMs.toFixed(1)} ms` };
  const again = message && encodeMessage(message);
  if (!message || !again) return { id: one.id, wrong: message ? 'does not encode again' : undefined };
  const same = JSON.stringify(decodeMessage(again)) === JSON.stringify(message);
  return { id: one.id, wrong: same ? undefined : 'decodes differently after encoding' };
}

/** One opinion, of a server with habits of its own: the additional section is not held against it. */
function judgePowerdns(one: PowerdnsCase, folder: string): Verdict {
  const habit = powerdnsHabit(one, join(folder, 'powerdns-zones'));
  if (habit !== undefined) return { id: one.id, wrong: undefined, notJudged: habit };
  const { name, type, do: dnssecOk } = one.q;
  const { id, wrong } = judgeAnswer(
    {
      id: one.id,
      origin: '.',
      zones: 'powerdns-zones',
      q: [name, type],
      responses: [recordedAnswer(one)],
      ...(dnssecOk && { edns: { size: 1232, do: true } }),
    },
    folder,
  );
  return { id, wrong };
}

function judge(one: Record<string, unknown>, folder: string): Verdict {
  if ('responses' in one) return judgeAnswer(one as unknown as AnswerCase, folder);
  if ('expected' in one) return judgePowerdns(one as unknown as PowerdnsCase, folder);
  if ('default_ttl' in one) return judgeZoneFile(one as unknown as ZoneFileCase, folder);
  if ('violates' in one || 'bind_expects' in one || ('expect' in one && 'input_b64' in one)) {
    return judgeZoneCheck(one as unknown as ZoneCheckCase);
  }
  if ('b64' in one) return judgePacket(one as unknown as PacketCase);
  return { id: String(one.id), wrong: undefined, notJudged: 'no rule for this kind of case' };
}

function runFile(file: string): boolean {
  const verdicts = readCases(file).map((one) => judge(one as Record<string, unknown>, dirname(file)));
  const judged = verdicts.filter(({ notJudged }) => notJudged === undefined);
  const wrong = judged.filter((verdict) => verdict.wrong !== undefined);
  for (const { id, wrong: text } of wrong.slice(0, shownMax)) console.log(`  ${id}: ${text}`);
  if (wrong.length > shownMax) console.log(`  … and ${wrong.length - shownMax} more`);
  const withAdditional = judged.filter(({ additional }) => additional !== undefined);
  const unanimous = withAdditional.filter(({ isUnanimous }) => isUnanimous);
  const asAll = unanimous.filter(({ additional }) => additional).length;
  const more =
    withAdditional.length > 0
      ? `, with the additional section ${asAll} of ${unanimous.length} on which all anchors agree and ${
          withAdditional.filter(({ additional }) => additional).length - asAll
        } of ${withAdditional.length - unanimous.length} others`
      : '';
  const unjudged = new Map<string, number>();
  for (const { notJudged } of verdicts)
    if (notJudged !== undefined) unjudged.set(notJudged, (unjudged.get(notJudged) ?? 0) + 1);
  console.log(`${basename(file)}: ${judged.length - wrong.length} of ${judged.length}${more}`);
  for (const [why, count] of unjudged) console.log(`  ${count} not judged: ${why}`);
  return wrong.length === 0 && asAll === unanimous.length && judged.length > 0;
}

/** The sets of cases in a folder, or the file itself; undefined where there is no such thing. */
function setsIn(path: string): string[] | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => /\.jsonl(\.gz)?$/.test(name));
  return names.sort().map((name) => join(path, name));
}

const paths = process.argv.slice(2);
const files = paths.flatMap((path) => {
  const sets = setsIn(path);
  if (sets === undefined || sets.length === 0)
    console.error(`${path}: ${sets ? 'no *.jsonl or *.jsonl.gz in this folder' : 'no such file or folder'}`);
  return sets ?? [];
});
if (paths.length === 0 || paths.some((path) => (setsIn(path) ?? []).length === 0)) {
  console.error('usage: scripts/conformance FILE.jsonl[.gz]|FOLDER …');
  process.exitCode = 64;
} else process.exitCode = files.map(runFile).every(Boolean) ? 0 : 1;
