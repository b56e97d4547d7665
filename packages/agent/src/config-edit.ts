import type { AST } from 'toml-eslint-parser';
import { parseConfig } from './config.ts';
import type { May } from './config-friends.ts';
import type { MailConfig } from './config-mail.ts';
import { type ConfigProblem, formatProblems } from './config-problems.ts';
import { readToml } from './config-toml.ts';
import { readDomain } from './config-values.ts';

/**
 * What became of an edit. `refused`: the text stays as it is, and `why` says what stands in the way (a whole sentence,
 * perhaps with the mistakes of the file below it). `unchanged`: there was nothing to do.
 */
export type ConfigEdit =
  | { kind: 'edited'; text: string }
  | { kind: 'unchanged' }
  | { kind: 'refused'; why: string; problems: ConfigProblem[] };

const fileName = 'peer.toml';

/** A TOML basic string (TOML 1.0, "String"). JSON's escapes are a subset of TOML's, but JSON leaves DEL as it is. */
function tomlString(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\u007f');
}

type TomlValue = string | number | readonly string[];

function tomlValue(value: TomlValue): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? tomlString(value) : `[${value.map(tomlString).join(', ')}]`;
}

type Assignments = readonly (readonly [key: string, value: TomlValue | undefined])[];

const lines = (assignments: Assignments): string[] =>
  assignments.flatMap(([key, value]) => (value === undefined ? [] : [`${key} = ${tomlValue(value)}`]));

/** What an edit works on: the text, its line ends, and the `[[list]]` tables of one kind in order. */
interface Draft {
  text: string;
  newline: string;
  tables: AST.TOMLTable[];
}

function openDraft(text: string, list: string): Draft | ConfigEdit {
  const parsed = parseConfig(text, { fileName });
  if (parsed.kind === 'bad') {
    const why = `${fileName} has mistakes; mend them first:\n${formatProblems(parsed.problems)}`;
    return { kind: 'refused', why, problems: parsed.problems };
  }
  const read = readToml(text);
  if (read.kind === 'bad') return { kind: 'refused', why: read.message, problems: [] };
  const body = read.ast.body[0].body;
  const inline = body.some(
    (node) => node.type === 'TOMLKeyValue' && node.key.keys.length === 1 && nameOf(node.key) === list,
  );
  if (inline) {
    const why = `${fileName} writes "${list}" as one list; change it there by hand, or write one [[${list}]] for each`;
    return { kind: 'refused', why, problems: [] };
  }
  const tables = body.filter(
    (node): node is AST.TOMLTable =>
      node.type === 'TOMLTable' &&
      node.kind === 'array' &&
      node.resolvedKey.length === 2 &&
      node.resolvedKey[0] === list,
  );
  return { text, newline: text.includes('\r\n') ? '\r\n' : '\n', tables };
}

const partsOf = (key: AST.TOMLKey): string[] =>
  key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value));
const nameOf = (key: AST.TOMLKey): string => partsOf(key).join('.');

function entryOf(table: AST.TOMLTable, key: string): AST.TOMLKeyValue | undefined {
  return table.body.find((entry) => nameOf(entry.key) === key);
}

function textValueOf(table: AST.TOMLTable, key: string): string | undefined {
  const value = entryOf(table, key)?.value;
  return value?.type === 'TOMLValue' && value.kind === 'string' ? value.value : undefined;
}

/** The offset just behind the line that holds `offset`, with its line end. */
function behindLine(text: string, offset: number): number {
  const end = text.indexOf('\n', offset);
  return end < 0 ? text.length : end + 1;
}

const endOf = (table: AST.TOMLTable): number =>
  Math.max(table.range[1], ...table.body.map(({ range }) => range[1]));

/** The edited text, if it is a good configuration; what it would break otherwise. */
function finish(text: string): ConfigEdit {
  const parsed = parseConfig(text, { fileName });
  if (parsed.kind === 'ok') return { kind: 'edited', text };
  return {
    kind: 'refused',
    why: parsed.problems.map(({ key, message }) => `${key.replace(/^.*\./, '')}: ${message}`).join('; '),
    problems: parsed.problems,
  };
}

/** Puts a new `[[list]]` behind the last one of its kind, or at the end of the file. */
function append(draft: Draft, list: string, assignments: Assignments): ConfigEdit {
  const { text, newline, tables } = draft;
  const last = tables.at(-1);
  const at = last ? behindLine(text, endOf(last)) : text.length;
  const before = text.slice(0, at);
  const gap = before === '' ? '' : before.endsWith('\n') ? newline : newline + newline;
  const block = [`[[${list}]]`, ...lines(assignments), ''].join(newline);
  const after = text.slice(at);
  const lead = after === '' || after.startsWith('\n') || after.startsWith('\r\n') ? '' : newline;
  return finish(before + gap + block + lead + after);
}

/** Cuts a table from its header to its last value, and one of two blank lines that then meet. */
function cut(draft: Draft, table: AST.TOMLTable): ConfigEdit {
  const { text } = draft;
  const before = text.slice(0, table.range[0]);
  let after = text.slice(behindLine(text, endOf(table)));
  if (before === '' || /\n\r?\n$/.test(before)) after = after.replace(/^\r?\n/, '');
  return finish(before + after);
}

function change(draft: Draft, table: AST.TOMLTable, assignments: Assignments): ConfigEdit {
  const { text, newline } = draft;
  const replacements = assignments.flatMap(([key, value]) => {
    const entry = entryOf(table, key);
    return value === undefined || !entry ? [] : [{ range: entry.value.range, with: tomlValue(value) }];
  });
  const added = lines(assignments.filter(([key]) => !entryOf(table, key)));
  let edited = text;
  const at = behindLine(text, endOf(table));
  if (added.length > 0) {
    const gap = text.slice(0, at).endsWith('\n') ? '' : newline;
    edited = text.slice(0, at) + gap + added.map((line) => line + newline).join('') + text.slice(at);
  }
  for (const { range, with: value } of replacements.sort((a, b) => b.range[0] - a.range[0]))
    edited = edited.slice(0, range[0]) + value + edited.slice(range[1]);
  return edited === text ? { kind: 'unchanged' } : finish(edited);
}

const isEdit = (draft: Draft | ConfigEdit): draft is ConfigEdit => 'kind' in draft;

function refusedText(why: string): ConfigEdit {
  return { kind: 'refused', why, problems: [] };
}

const sameDomain = (a: string | undefined, b: string): boolean =>
  a !== undefined && (readDomain(a) ?? a) === (readDomain(b) ?? b);

/** A zone to own: from a master file, or from an existing primary. Paths as they are to stand in `peer.toml`. */
export type ZoneToAdd = { origin: string } & (
  | { file: string }
  | { primary: string; tsigFile?: string | undefined }
);

/** Adds a `[[zone]]`. Refused where the origin is there already or a value is none. Comments stay. */
export function addZone(text: string, zone: ZoneToAdd): ConfigEdit {
  const draft = openDraft(text, 'zone');
  if (isEdit(draft)) return draft;
  if (draft.tables.some((table) => sameDomain(textValueOf(table, 'origin'), zone.origin)))
    return refusedText(`${fileName} already has a zone ${zone.origin}`);
  const source: Assignments =
    'file' in zone
      ? [['file', zone.file]]
      : [
          ['primary', zone.primary],
          ['tsig-file', zone.tsigFile],
        ];
  return append(draft, 'zone', [['origin', zone.origin], ...source]);
}

/** Removes the `[[zone]]` of an origin, with the comments inside it. Unchanged where there is none. */
export function removeZone(text: string, origin: string): ConfigEdit {
  return removeFrom(text, { list: 'zone', key: 'origin', domain: origin });
}

/** Adds a `[[mail]]`. Refused where the domain is there already or a value is none. Comments stay. */
export function addMail(
  text: string,
  mail: {
    domain: string;
    deliver: string;
    client?: MailConfig['client'] | undefined;
    recipients?: string | undefined;
  },
): ConfigEdit {
  const draft = openDraft(text, 'mail');
  if (isEdit(draft)) return draft;
  if (draft.tables.some((table) => sameDomain(textValueOf(table, 'domain'), mail.domain)))
    return refusedText(`${fileName} already has mail for ${mail.domain}`);
  const { domain, deliver, client, recipients } = mail;
  return append(draft, 'mail', [
    ['domain', domain],
    ['deliver', deliver],
    ['client', client],
    ['recipients', recipients],
  ]);
}

/** Removes the `[[mail]]` of a domain, with the comments inside it. Unchanged where there is none. */
export function removeMail(text: string, domain: string): ConfigEdit {
  return removeFrom(text, { list: 'mail', key: 'domain', domain });
}

function removeFrom(text: string, options: { list: string; key: string; domain: string }): ConfigEdit {
  const draft = openDraft(text, options.list);
  if (isEdit(draft)) return draft;
  const table = draft.tables.find((candidate) =>
    sameDomain(textValueOf(candidate, options.key), options.domain),
  );
  return table ? cut(draft, table) : { kind: 'unchanged' };
}

/** Adds a `[[service]]`, values as they are written in the file. Refused where the name is there already. Comments stay. */
export function addService(
  text: string,
  service: {
    name: string;
    record: string;
    check: string;
    standby: readonly string[];
    signed?: string | undefined;
    ttl?: string | undefined;
    after?: string | undefined;
    max?: string | undefined;
    hold?: string | undefined;
  },
): ConfigEdit {
  const draft = openDraft(text, 'service');
  if (isEdit(draft)) return draft;
  if (serviceTable(draft, service.name))
    return refusedText(`${fileName} already has a service ${service.name}`);
  const { standby, ...rest } = service;
  const [first = '', ...more] = standby;
  return append(draft, 'service', [
    ...(['name', 'record', 'check'] as const).map((key) => [key, rest[key]] as const),
    ['standby', more.length === 0 ? first : standby],
    ...(['signed', 'ttl', 'after', 'max', 'hold'] as const).map((key) => [key, rest[key]] as const),
  ]);
}

const serviceTable = (draft: Draft, name: string): AST.TOMLTable | undefined =>
  draft.tables.find((table) => textValueOf(table, 'name') === name);

/** Has friends decide about a service (`obey`), or nobody. Refused where no service is called so. */
export function pinService(text: string, { name, pin }: { name: string; pin: string }): ConfigEdit {
  const draft = openDraft(text, 'service');
  if (isEdit(draft)) return draft;
  const table = serviceTable(draft, name);
  return table ? change(draft, table, [['pin', pin]]) : refusedText(`${fileName} has no service ${name}`);
}

/** Removes a `[[service]]`, with the comments inside it. Unchanged where there is none. */
export function removeService(text: string, name: string): ConfigEdit {
  const draft = openDraft(text, 'service');
  if (isEdit(draft)) return draft;
  const table = serviceTable(draft, name);
  return table ? cut(draft, table) : { kind: 'unchanged' };
}

/** Sets what this box does for a friend: changes his `[[friend]]`, or adds one. What is undefined stays as it is. */
export function setFriend(
  text: string,
  friend: { name: string; may?: readonly May[] | undefined; quota?: string | undefined },
): ConfigEdit {
  const draft = openDraft(text, 'friend');
  if (isEdit(draft)) return draft;
  const table = draft.tables.find((candidate) => textValueOf(candidate, 'name') === friend.name);
  const wanted: Assignments = [
    ['may', friend.may],
    ['quota', friend.quota],
  ];
  return table ? change(draft, table, wanted) : append(draft, 'friend', [['name', friend.name], ...wanted]);
}

/** Where `peer.toml` names a friend: the tables and keys, without places in lists. */
const friendNamePaths: readonly string[] = [
  'friend.name',
  'zone.secondaries',
  'mail.backups',
  'smtp.raw.owner',
];

/** `bob=198.51.100.7` under another name for bob. */
function renamedStandby(value: string, { name, to }: { name: string; to: string }): string | undefined {
  return value.startsWith(`${name}=`) ? to + value.slice(name.length) : undefined;
}

/** The texts below a value, with the tables and keys that lead to them. */
function textsIn(
  node: AST.TOMLContentNode,
  path: readonly string[],
): { path: string; node: AST.TOMLStringValue }[] {
  switch (node.type) {
    case 'TOMLArray':
      return node.elements.flatMap((element) => textsIn(element, path));
    case 'TOMLInlineTable':
      return node.body.flatMap((entry) => textsIn(entry.value, [...path, ...partsOf(entry.key)]));
    case 'TOMLValue':
      return node.kind === 'string' ? [{ path: path.join('.'), node }] : [];
  }
}

/**
 * Calls a friend by another name wherever the file names him: his `[[friend]]`, secondaries, backups, raw listeners.
 * Comments and all else stay. Unchanged where the file does not name him.
 */
export function renameFriend(text: string, rename: { name: string; to: string }): ConfigEdit {
  const draft = openDraft(text, '');
  if (isEdit(draft)) return draft;
  const read = readToml(text);
  if (read.kind === 'bad') return refusedText(read.message);
  const found = read.ast.body[0].body.flatMap((node) => {
    if (node.type === 'TOMLKeyValue') return textsIn(node.value, partsOf(node.key));
    const table = node.resolvedKey.filter((part) => typeof part === 'string');
    return node.body.flatMap((entry) => textsIn(entry.value, [...table, ...partsOf(entry.key)]));
  });
  let edited = text;
  for (const { path, node } of found.toReversed()) {
    const isHe = friendNamePaths.includes(path) && node.value === rename.name;
    const value =
      path === 'service.standby' ? renamedStandby(node.value, rename) : isHe ? rename.to : undefined;
    if (value === undefined) continue;
    edited = edited.slice(0, node.range[0]) + tomlString(value) + edited.slice(node.range[1]);
  }
  return edited === text ? { kind: 'unchanged' } : finish(edited);
}
