import { equalBytes } from '@copain/core';
import { masterFileBytesMax, piecesEntries } from './limits.ts';
import {
  type Carried,
  type MasterFileOptions,
  type MasterRecord,
  readEntries,
  withoutMark,
} from './master-file.ts';
import { RecordType } from './record-types.ts';

/** Some entries of a master file that follow one another, in the text from `start` to `end`. */
interface Piece {
  start: number;
  end: number;
  lines: number;
  before: Carried;
  after: Carried;
  records: readonly MasterRecord[];
}

/**
 * A master file without mistakes, in pieces, so that the next version of it is read where it differs alone. The lines in
 * records of pieces that were not read again are those of the version in which they were read.
 */
export interface MasterPieces {
  text: string;
  pieces: readonly Piece[];
  /** Records in all pieces. */
  count: number;
  /** The records that were read now, and those of the version before that are not in what was taken over from it. */
  fresh: readonly MasterRecord[];
  gone: readonly MasterRecord[];
}

/**
 * Reads a master file, taking over from `before` what stands there in the same words and means the same, since the origin,
 * the owner and the TTLs that an entry may leave out are the same too. Undefined where there is a mistake, or what it says
 * depends on more than its text: `parseMasterFile` then reads it.
 */
export function readPieces(options: MasterFileOptions, before?: MasterPieces): MasterPieces | undefined {
  const text = withoutMark(options.text);
  if (text.length > masterFileBytesMax || /^\$(INCLUDE|GENERATE)/im.test(text)) return undefined;
  const known = before && knownPieces(before, text);
  const pieces: Piece[] = [];
  const fresh: MasterRecord[] = [];
  let count = 0;
  let line = 1;
  let carried: Carried = {
    origin: options.origin,
    owner: undefined,
    defaultTtl: undefined,
    lastTtl: undefined,
  };
  for (let at = 0; at < text.length; ) {
    const same = known?.take(at, carried);
    if (same) pieces.push({ ...same, start: at, end: at + same.end - same.start });
    else {
      const read = readEntries({ ...options, text }, { at, line, carried }, (next, entries, then) => {
        return (entries >= piecesEntries || known?.has(next, then) === true) && text[next - 1] === '\n';
      });
      if (!read) return undefined;
      const { records, end } = read;
      pieces.push({ start: at, end, lines: read.line - line, before: carried, after: read.carried, records });
      for (const record of records) fresh.push(record);
    }
    const piece = pieces.at(-1) as Piece;
    at = piece.end;
    line += piece.lines;
    carried = piece.after;
    count += piece.records.length;
  }
  return { text, pieces, count, fresh, gone: known?.left() ?? [] };
}

/**
 * Finds pieces of the version before in a text. Each is taken once, and in their order. The one with the SOA is never
 * found: what is said about the serial names the line in which the SOA stands now.
 */
function knownPieces({ text: old, pieces }: MasterPieces, text: string) {
  const lineAt = (whole: string, at: number): string => {
    const end = whole.indexOf('\n', at);
    return whole.slice(at, end < 0 ? whole.length : end);
  };
  const byLine = new Map(pieces.map((piece, index) => [lineAt(old, piece.start), index]));
  const left = new Set(pieces);
  const withSoa = new Set(
    pieces.filter(({ records }) => records.some(({ type }) => type === RecordType.SOA)),
  );
  let next = 0;
  const find = (at: number, carried: Carried): number | undefined => {
    for (const index of [next, byLine.get(lineAt(text, at)) ?? -1]) {
      const piece = pieces[index];
      if (index < next || !piece || old[piece.end - 1] !== '\n' || withSoa.has(piece)) continue;
      if (isSame(piece.before, carried) && text.startsWith(old.slice(piece.start, piece.end), at))
        return index;
    }
    return undefined;
  };
  return {
    has: (at: number, carried: Carried): boolean => find(at, carried) !== undefined,
    take: (at: number, carried: Carried): Piece | undefined => {
      const index = find(at, carried);
      const piece = index === undefined ? undefined : pieces[index];
      if (index === undefined || !piece) return undefined;
      next = index + 1;
      left.delete(piece);
      return piece;
    },
    left: (): MasterRecord[] => [...left].flatMap(({ records }) => records),
  };
}

function isSame(a: Carried, b: Carried): boolean {
  const owners = a.owner && b.owner ? equalBytes(a.owner, b.owner) : a.owner === b.owner;
  return owners && equalBytes(a.origin, b.origin) && a.defaultTtl === b.defaultTtl && a.lastTtl === b.lastTtl;
}
