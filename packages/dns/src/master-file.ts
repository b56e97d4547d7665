import { visible } from '@copain/core';
import { generatedCount, generatedEntries } from './generate.ts';
import { includeDepthMax, masterFileBytesMax, problemsMax, zoneRecordsMax } from './limits.ts';
import { MasterWords, SpellingProblem } from './master-words.ts';
import type { DomainName } from './name.ts';
import { parseRdata, splitText } from './rdata-text.ts';
import { isMetaType, RecordType, typeFromText, typeToText } from './record-types.ts';
import { nameIn, periodOf, secondsFromText, type Word, WordProblem, WordReader } from './word.ts';

/** One resource record of class IN. `ttl` is in seconds; `rdata` in wire form without compression. */
export interface ResourceRecord {
  owner: DomainName;
  type: number;
  ttl: number;
  rdata: Uint8Array;
}

/** A record and where it stands, for messages about it. Lines and columns count from 1. */
export interface MasterRecord extends ResourceRecord {
  file: string;
  line: number;
  column: number;
}

/**
 * What is wrong with a zone and where. An error keeps the file from being published; a warning does not. Line 0: with
 * what a primary sent, which has no lines.
 */
export interface ZoneProblem {
  severity: 'error' | 'warning';
  file: string;
  line: number;
  column: number;
  text: string;
}

/** What an `$INCLUDE` gave: the file's text under the name it goes by in messages, or why there is none. */
export type Included = { kind: 'text'; file: string; text: string } | { kind: 'problem'; text: string };

/** What to read and with which defaults. */
export interface MasterFileOptions {
  /** The file's content, one character an octet (Latin-1), so that UTF-8 in a TXT record stays as it is. */
  text: string;
  /** How the file is called in problems. */
  file: string;
  /** The zone's name: the first origin, unless the file says `$ORIGIN`. */
  origin: DomainName;
  /** TTL in seconds where neither the record, `$TTL`, an earlier record nor the SOA gives one. Without it: a problem. */
  defaultTtl?: number;
  /** Called for `$INCLUDE path`; `from` is the including file's name. Without it `$INCLUDE` is a problem. */
  include?: (path: string, from: string) => Included;
}

/** What stands in a master file. `records` holds what could be read even where there are errors. */
export interface MasterFile {
  records: MasterRecord[];
  problems: ZoneProblem[];
}

/**
 * `zones/alice.example.zone:12:5: what is wrong`, as shown in the log, on the page and by `peer zone check`; without a
 * place where the line is 0.
 */
export function formatProblem({ file, line, column, severity, text }: ZoneProblem): string {
  return `${line === 0 ? file : `${file}:${line}:${column}`}: ${severity}: ${text}`;
}

/**
 * Reads a master file: RFC 1035 §5, `$TTL` (RFC 2308 §4), `$INCLUDE`, unknown types and `\#` (RFC 3597 §5), TTL and
 * class in either order, TTL units, `$GENERATE` as in BIND. A mistake in a record is reported and reading goes on with the
 * next; a mistake in a directive or in the parentheses makes the meaning of all that follows uncertain and ends it.
 */
export function parseMasterFile(options: MasterFileOptions): MasterFile {
  const result: MasterFile = { records: [], problems: [] };
  const budget = { characters: masterFileBytesMax };
  const text = withoutMark(options.text);
  new FileReader(options, text, options.file, options.origin, 0, result, budget).read();
  return result;
}

/** The text without the mark (U+FEFF as UTF-8) that some editors put in front of it. */
export function withoutMark(text: string): string {
  return text.startsWith('\xef\xbb\xbf') ? text.slice(3) : text;
}

/** What the meaning of the next entry depends on beside its own text. */
export interface Carried {
  origin: DomainName;
  owner: DomainName | undefined;
  defaultTtl: number | undefined;
  lastTtl: number | undefined;
}

/** Some entries of a master file, read from `at`, the beginning of an entry, up to `end`, the beginning of another one. */
export interface ReadEntries {
  records: MasterRecord[];
  end: number;
  line: number;
  carried: Carried;
}

/**
 * Reads entries from the middle of `options.text` on, which has no mark in front, until `isEnough` says so or the text
 * ends. Undefined where there is any mistake among them, or they include another file. For `readPieces`.
 */
export function readEntries(
  options: MasterFileOptions,
  from: { at: number; line: number; carried: Carried },
  isEnough: (at: number, count: number, carried: Carried) => boolean,
): ReadEntries | undefined {
  const { include: _none, ...alone } = options;
  const result: MasterFile = { records: [], problems: [] };
  const budget = { characters: masterFileBytesMax };
  const reader = new FileReader(alone, options.text, options.file, options.origin, 0, result, budget);
  const end = reader.readFrom(from, isEnough);
  return result.problems.length > 0 ? undefined : { records: result.records, ...end };
}

/** Ends the reading of all files; the problem is already noted. */
class Stop extends Error {}

/** Reads one file; an included file gets a reader of its own, so that it cannot change origin, TTL or owner outside. */
class FileReader {
  readonly #options: MasterFileOptions;
  readonly #text: string;
  #words: MasterWords;
  readonly #file: string;
  readonly #depth: number;
  readonly #result: MasterFile;
  readonly #budget: { characters: number };
  #origin: DomainName;
  #owner: DomainName | undefined;
  #ownerProblem = 'the first record needs an owner name';
  #defaultTtl: number | undefined;
  #lastTtl: number | undefined;

  constructor(
    options: MasterFileOptions,
    text: string,
    file: string,
    origin: DomainName,
    depth: number,
    result: MasterFile,
    budget: { characters: number },
  ) {
    this.#options = options;
    this.#text = text;
    this.#words = new MasterWords(text);
    this.#file = file;
    this.#origin = origin;
    this.#depth = depth;
    this.#result = result;
    this.#budget = budget;
  }

  read(): void {
    this.#budget.characters -= this.#text.length;
    try {
      if (this.#budget.characters < 0)
        this.#stop(`the zone's files are larger than ${masterFileBytesMax} octets together`, 1, 1);
      while (!this.#words.isAtEnd) this.#readEntry();
    } catch (error) {
      if (!(error instanceof Stop) || this.#depth > 0) throw error;
    }
  }

  readFrom(
    from: { at: number; line: number; carried: Carried },
    isEnough: (at: number, count: number, carried: Carried) => boolean,
  ): Omit<ReadEntries, 'records'> {
    const { origin, owner, defaultTtl, lastTtl } = from.carried;
    this.#words = new MasterWords(this.#text, from);
    this.#origin = origin;
    this.#owner = owner;
    this.#defaultTtl = defaultTtl;
    this.#lastTtl = lastTtl;
    try {
      for (let count = 0; !this.#words.isAtEnd; count++) {
        if (count > 0 && isEnough(this.#words.at, count, this.#carried())) break;
        this.#readEntry();
        if (this.#result.problems.length > 0) break;
      }
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
    }
    return { end: this.#words.at, line: this.#words.line, carried: this.#carried() };
  }

  #carried(): Carried {
    return {
      origin: this.#origin,
      owner: this.#owner,
      defaultTtl: this.#defaultTtl,
      lastTtl: this.#lastTtl,
    };
  }

  #doubt(text: string, { line, column }: Word): void {
    const { problems } = this.#result;
    if (problems.length < problemsMax)
      problems.push({ severity: 'warning', file: this.#file, line, column, text });
  }

  #note(text: string, line: number, column: number): void {
    const { problems } = this.#result;
    problems.push({ severity: 'error', file: this.#file, line, column, text });
    if (problems.length < problemsMax) return;
    problems.push({
      severity: 'error',
      file: this.#file,
      line,
      column,
      text: 'too many mistakes; reading ends here',
    });
    throw new Stop();
  }

  #stop(text: string, line: number, column: number): never {
    this.#note(text, line, column);
    throw new Stop();
  }

  #readEntry(): void {
    const { line: startLine, isBlank: blank } = this.#words;
    try {
      const words = this.#words.next();
      if (words.length === 0) return;
      const first = words[0] as Word;
      if (!blank && !first.quoted && first.text.startsWith('$')) this.#readDirective(words);
      else this.#readRecord(words, blank);
    } catch (error) {
      if (error instanceof SpellingProblem) {
        if (error.words.length > 0) this.#readUnclosed(error.words, blank);
        if (error.ends) this.#stop(error.message, error.line, error.column);
        this.#note(error.message, error.line, error.column);
        this.#words.skipLine();
      } else if (error instanceof WordProblem) {
        const line = error.word?.line ?? startLine;
        this.#note(visible(error.message), line, error.word?.column ?? 1);
      } else throw error;
    }
  }

  /** A last record that is all there but for its closing parenthesis, as Knot reads it. The file has a mistake anyway. */
  #readUnclosed(words: readonly Word[], blank: boolean): void {
    try {
      this.#readRecord(words, blank);
    } catch (error) {
      if (!(error instanceof WordProblem)) throw error;
    }
  }

  #readDirective(words: readonly Word[]): void {
    const [directive] = words as [Word];
    const reader = new WordReader(words);
    reader.next('a directive');
    try {
      switch (directive.text.toUpperCase()) {
        case '$ORIGIN':
          this.#readOrigin(reader.next('the new origin'));
          break;
        case '$TTL':
          this.#defaultTtl = periodOf(reader.next('the default TTL'), 'the default TTL');
          break;
        case '$INCLUDE':
          this.#include(reader.next('the file to include'), reader);
          return;
        case '$GENERATE':
          this.#generate(words);
          return;
        default:
          throw new WordProblem(
            `'${directive.text}' is no directive; there are $ORIGIN, $TTL, $INCLUDE and $GENERATE`,
            directive,
          );
      }
      reader.expectEnd();
    } catch (error) {
      if (!(error instanceof WordProblem)) throw error;
      this.#stop(
        visible(error.message),
        error.word?.line ?? directive.line,
        error.word?.column ?? directive.column,
      );
    }
  }

  #readOrigin(word: Word): void {
    this.#origin = nameIn(word, this.#origin);
    if (!word.text.replaceAll(/\\./gs, '').endsWith('.'))
      this.#doubt(
        'this origin is relative to the one before, which Knot refuses: write it with its dot',
        word,
      );
  }

  #include(word: Word, rest: WordReader): void {
    const originWord = rest.peek();
    if (originWord) rest.next('an origin');
    rest.expectEnd();
    if (originWord && originWord.text !== '@' && !originWord.text.endsWith('.')) {
      throw new WordProblem('the origin of an included file is written with its final dot', originWord);
    }
    const origin = originWord ? nameIn(originWord, this.#origin) : this.#origin;
    if (this.#depth >= includeDepthMax)
      throw new WordProblem(`files include one another more than ${includeDepthMax} deep`, word);
    const included = this.#options.include?.(word.text, this.#file) ?? {
      kind: 'problem',
      text: '$INCLUDE is not possible here',
    };
    if (included.kind === 'problem') throw new WordProblem(included.text, word);
    const { file, text } = included;
    const reader = new FileReader(
      this.#options,
      withoutMark(text),
      file,
      origin,
      this.#depth + 1,
      this.#result,
      this.#budget,
    );
    reader.#defaultTtl = this.#defaultTtl;
    reader.#lastTtl = this.#lastTtl;
    reader.read();
  }

  /** What is generated counts like what is written, so that a few octets never make more of a zone than a file may hold. */
  #generate(words: readonly Word[]): void {
    const owner = this.#owner;
    const tooMany = 'this makes more records than a zone may have';
    if (this.#result.records.length + generatedCount(words) > zoneRecordsMax)
      throw new WordProblem(tooMany, words[1]);
    for (const entry of generatedEntries(words)) {
      for (const { text } of entry) this.#budget.characters -= text.length + 1;
      if (this.#budget.characters < 0) throw new WordProblem(tooMany, words[1]);
      this.#readRecord(entry, false);
    }
    this.#owner = owner;
  }

  #readRecord(words: readonly Word[], blank: boolean): void {
    const reader = new WordReader(words);
    const start = words[0] as Word;
    if (!blank) this.#readOwner(reader.next('an owner name'));
    const owner = this.#owner;
    if (!owner) throw new WordProblem(this.#ownerProblem, start);
    const ttlGiven = this.#readTtlAndClass(reader);
    const typeWord = reader.next('a record type');
    const type = this.#typeOf(typeWord);
    const rest = reader.rest();
    const parsed = parseRdata(type, rest, this.#origin);
    if (parsed.kind === 'problem') {
      throw new WordProblem(`${typeToText(type)}: ${parsed.text}`, parsed.word ?? rest.at(-1) ?? typeWord);
    }
    const split = splitText(type, rest);
    if (split)
      this.#doubt('a text of more than 255 octets, here cut into several; BIND and NSD refuse it', split);
    const ttl =
      ttlGiven ??
      this.#defaultTtl ??
      this.#lastTtl ??
      this.#soaMinimum(type, parsed.rdata) ??
      this.#options.defaultTtl;
    if (ttl === undefined)
      throw new WordProblem('this record has no TTL, and there is no $TTL above it', typeWord);
    this.#lastTtl = ttl;
    const { line, column } = start;
    this.#result.records.push({ owner, type, ttl, rdata: parsed.rdata, file: this.#file, line, column });
  }

  #readOwner(word: Word): void {
    this.#owner = undefined;
    this.#ownerProblem = 'the owner name above is wrong, so this record has none';
    this.#owner = nameIn(word, this.#origin);
  }

  /** `[TTL] [class]` or `[class] [TTL]` (RFC 1035 §5.1). */
  #readTtlAndClass(reader: WordReader): number | undefined {
    let ttl: number | undefined;
    let sawClass = false;
    for (;;) {
      const word = reader.peek();
      if (!word || word.quoted) return ttl;
      const upper = word.text.toUpperCase();
      if (ttl === undefined && /^\d/.test(word.text)) {
        if (secondsFromText(word.text) === undefined)
          throw new WordProblem('expected a TTL in seconds or like 1h30m, or a record type', word);
        ttl = periodOf(word, 'the TTL');
      } else if (!sawClass && upper === 'IN') sawClass = true;
      else if (
        !sawClass &&
        /^(CH|HS|CS|ANY|NONE|CLASS\d+)$/.test(upper) &&
        typeFromText(upper) !== RecordType.ANY
      ) {
        throw new WordProblem(`class ${upper} is not served; only IN is, and it is written IN`, word);
      } else return ttl;
      reader.next('a record type');
    }
  }

  #typeOf(word: Word): number {
    const type = word.quoted ? undefined : typeFromText(word.text);
    if (type === undefined) throw new WordProblem(`'${word.text}' is no record type`, word);
    if (isMetaType(type)) throw new WordProblem(`${typeToText(type)} cannot stand in a zone`, word);
    return type;
  }

  /** RFC 1035 files without any TTL: the SOA's last field serves as one, as in BIND. */
  #soaMinimum(type: number, rdata: Uint8Array): number | undefined {
    if (type !== RecordType.SOA) return undefined;
    return new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength).getUint32(rdata.length - 4);
  }
}
