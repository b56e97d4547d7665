import { type AST, ParseError, parseTOML } from 'toml-eslint-parser';
import type { Place } from './config-problems.ts';

/** Where a value stands in the tree: keys and list indices (from 0). */
export type TomlPath = readonly (string | number)[];

/** A TOML 1.0 document as plain values (tables are objects without a prototype) that knows where each came from. */
export interface TomlDocument {
  kind: 'read';
  value: unknown;
  ast: AST.TOMLProgram;
  /** The place of a key or value; where the path does not exist, of the nearest table or list that would hold it. */
  placeOf(path: TomlPath, at: 'key' | 'value'): Place;
}

interface Places {
  key: Place;
  value: Place;
}

type Plain = Record<string, unknown>;

const placeFrom = (node: AST.HasLocs): Place => ({
  line: node.loc.start.line,
  column: node.loc.start.column + 1,
});

const keyName = (part: AST.TOMLBare | AST.TOMLQuoted): string =>
  part.type === 'TOMLBare' ? part.name : part.value;

/** Reads a TOML 1.0 text. The parser's own errors become a place and a sentence; others are ours and pass through. */
export function readToml(text: string): TomlDocument | { kind: 'bad'; place: Place; message: string } {
  let ast: AST.TOMLProgram;
  try {
    ast = parseTOML(text, { tomlVersion: '1.0' });
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const place = { line: error.lineNumber, column: error.column + 1 };
    return { kind: 'bad', place, message: `this is not TOML: ${error.message.toLowerCase()}` };
  }
  const places = new Map<string, Places>();
  const note = (path: TomlPath, key: Place, value: Place): void => {
    const id = JSON.stringify(path);
    if (!places.has(id)) places.set(id, { key, value });
  };

  const contentOf = (node: AST.TOMLContentNode, path: TomlPath): unknown => {
    if (node.type === 'TOMLArray')
      return node.elements.map((element, index) => {
        note([...path, index], placeFrom(element), placeFrom(element));
        return contentOf(element, [...path, index]);
      });
    if (node.type === 'TOMLInlineTable') {
      const table: Plain = Object.create(null) as Plain;
      for (const entry of node.body) readEntry(entry, table, path);
      return table;
    }
    return node.value;
  };
  const readEntry = (entry: AST.TOMLKeyValue, into: Plain, path: TomlPath): void => {
    let table = into;
    let here = path;
    entry.key.keys.forEach((part, index) => {
      const name = keyName(part);
      here = [...here, name];
      note(here, placeFrom(part), placeFrom(entry.value));
      if (index < entry.key.keys.length - 1) {
        table[name] ??= Object.create(null) as Plain;
        table = table[name] as Plain;
      } else table[name] = contentOf(entry.value, here);
    });
  };

  const root: Plain = Object.create(null) as Plain;
  for (const node of ast.body[0].body) {
    if (node.type === 'TOMLKeyValue') {
      readEntry(node, root, []);
      continue;
    }
    let table: Plain | unknown[] = root;
    node.resolvedKey.forEach((part, index) => {
      note(node.resolvedKey.slice(0, index + 1), placeFrom(node), placeFrom(node));
      const isList = typeof node.resolvedKey[index + 1] === 'number';
      const holder = table as Plain;
      holder[part] ??= isList ? [] : (Object.create(null) as Plain);
      table = holder[part] as Plain | unknown[];
    });
    for (const entry of node.body) readEntry(entry, table as unknown as Plain, node.resolvedKey);
  }

  const placeOf = (path: TomlPath, at: 'key' | 'value'): Place => {
    for (let length = path.length; length > 0; length--) {
      const found = places.get(JSON.stringify(path.slice(0, length)));
      if (found) return length === path.length ? found[at] : found.key;
    }
    return { line: 1, column: 1 };
  };
  return { kind: 'read', value: root, ast, placeOf };
}

/** A path as a person writes it: `zone[2].file`; list indices count from 1. */
export function describePath(path: TomlPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part + 1}]`;
    else text += `${text === '' ? '' : '.'}${/^[\w-]+$/.test(part) ? part : JSON.stringify(part)}`;
  }
  return text;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The candidate that a typing mistake in `word` probably meant: at most two edits, fewer than half its letters. */
export function closestWord(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > 64) return undefined;
  const near = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
    .filter(({ candidate, distance }) => distance <= 2 && distance * 2 < candidate.length)
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.candidate;
}
