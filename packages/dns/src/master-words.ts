import { entryCharactersMax } from './limits.ts';
import type { Word } from './word.ts';

/** A mistake in the spelling of the file itself, before it is known what kind of entry it is. */
export class SpellingProblem extends Error {
  override name = 'SpellingProblem';
  readonly line: number;
  readonly column: number;
  /** Is the meaning of all that follows uncertain? */
  readonly ends: boolean;
  /** The words of the last entry, where the file ends before its parentheses do. */
  readonly words: readonly Word[];
  constructor(
    text: string,
    at: { line: number; column: number; ends: boolean },
    words: readonly Word[] = [],
  ) {
    super(text);
    this.words = words;
    this.line = at.line;
    this.column = at.column;
    this.ends = at.ends;
  }
}

const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const quote = 0x22;
const openParenthesis = 0x28;
const closeParenthesis = 0x29;
const semicolon = 0x3b;
const equalsSign = 0x3d;
const backslash = 0x5c;

function endsWord(code: number): boolean {
  return (
    code === space ||
    code === tab ||
    code === lineFeed ||
    code === carriageReturn ||
    code === semicolon ||
    code === openParenthesis ||
    code === closeParenthesis ||
    Number.isNaN(code)
  );
}

/**
 * Takes the text of a master file apart into the words of its entries (RFC 1035 §5.1), one character an octet. An entry
 * ends with its line, or with the line on which its last parenthesis closes.
 */
export class MasterWords {
  readonly #text: string;
  #at: number;
  #line: number;
  #lineStart: number;

  /** Begins at `at`, the beginning of an entry, in line `line`. */
  constructor(text: string, { at, line }: { at: number; line: number } = { at: 0, line: 1 }) {
    this.#text = text;
    this.#at = at;
    this.#line = line;
    this.#lineStart = at;
  }

  /** Where the next entry begins. */
  get at(): number {
    return this.#at;
  }

  /** Of the next entry, from 1. */
  get line(): number {
    return this.#line;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Does the next entry begin with a blank, and so leave out its owner? */
  get isBlank(): boolean {
    const code = this.#text.charCodeAt(this.#at);
    return code === space || code === tab;
  }

  #column(): number {
    return this.#at - this.#lineStart + 1;
  }

  #newLine(): void {
    this.#at++;
    this.#line++;
    this.#lineStart = this.#at;
  }

  /** Leaves out the rest of the line. */
  skipLine(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
    if (end >= 0) this.#newLine();
  }

  #wrong(text: string, ends: boolean): never {
    throw new SpellingProblem(text, { line: this.#line, column: this.#column(), ends });
  }

  /** The words of the next entry, none where there is nothing but a remark. Throws SpellingProblem. */
  next(): Word[] {
    const words: Word[] = [];
    const start = this.#at;
    let opened: { line: number; column: number } | undefined;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (Number.isNaN(code)) {
        if (opened)
          throw new SpellingProblem('this parenthesis is never closed', { ...opened, ends: true }, words);
        return words;
      }
      if (this.#at - start > entryCharactersMax)
        this.#wrong(`this entry is longer than ${entryCharactersMax} characters`, true);
      if (code === lineFeed) {
        this.#newLine();
        if (!opened) return words;
      } else if (code === space || code === tab) this.#at++;
      else if (code === semicolon) this.#skipComment();
      else if (code === openParenthesis) {
        if (opened) this.#wrong('a parenthesis within parentheses', true);
        opened = { line: this.#line, column: this.#column() };
        this.#at++;
      } else if (code === closeParenthesis) {
        if (!opened) this.#wrong('a closing parenthesis that was never opened', true);
        opened = undefined;
        this.#at++;
      } else if (code === carriageReturn) {
        this.#wrong('a carriage return; save the file with Unix line ends (LF alone)', true);
      } else words.push(code === quote ? this.#readQuoted() : this.#readPlain());
    }
  }

  #skipComment(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #readQuoted(): Word {
    const word = { text: '', quoted: true, line: this.#line, column: this.#column() };
    const end = this.#quoteEnd();
    word.text = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    if (!endsWord(this.#text.charCodeAt(this.#at)))
      this.#wrong('a blank is missing behind the quotation mark', false);
    return word;
  }

  /** Where the quotation that begins here closes; it must do so on the same line. */
  #quoteEnd(): number {
    for (let i = this.#at + 1; ; i++) {
      const code = this.#text.charCodeAt(i);
      if (code === quote) return i;
      if (code === lineFeed || Number.isNaN(code))
        this.#wrong('this quotation mark is not closed on its line', false);
      if (code === backslash) i++;
    }
  }

  #readPlain(): Word {
    const word = { text: '', quoted: false, line: this.#line, column: this.#column() };
    const start = this.#at;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (endsWord(code)) break;
      if (code === backslash && this.#text.charCodeAt(this.#at + 1) !== lineFeed) this.#at += 2;
      else if (code !== quote) this.#at++;
      // Service parameters are written key="value" (RFC 9460 §2.1); elsewhere a quotation mark begins a word.
      else if (this.#text.charCodeAt(this.#at - 1) === equalsSign) this.#at = this.#quoteEnd() + 1;
      else this.#wrong('a quotation mark within a word; write \\" or put a blank before it', false);
    }
    this.#at = Math.min(this.#at, this.#text.length);
    word.text = this.#text.slice(start, this.#at);
    return word;
  }
}
