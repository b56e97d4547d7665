import { type DomainName, parseName, readEscape } from './name.ts';

/**
 * One word of a master file. `text` keeps the escapes as written and leaves out the quotation marks of a quoted word;
 * one character is one octet. `line` and `column` count from 1.
 */
export interface Word {
  text: string;
  quoted: boolean;
  line: number;
  column: number;
}

/** What is wrong with a word, for people; `word` undefined means the end of the entry. Thrown inside this room only. */
export class WordProblem extends Error {
  override name = 'WordProblem';
  readonly word: Word | undefined;
  constructor(text: string, word: Word | undefined) {
    super(text);
    this.word = word;
  }
}

/** The words of one entry, taken from the left. Every reader throws WordProblem with what was expected. */
export class WordReader {
  readonly #words: readonly Word[];
  #at = 0;

  constructor(words: readonly Word[]) {
    this.#words = words;
  }

  /** The next word, or a problem that names what is missing. */
  next(expected: string): Word {
    const word = this.#words[this.#at++];
    if (!word) throw new WordProblem(`${expected} is missing`, undefined);
    return word;
  }

  /** All words that are left. */
  rest(): Word[] {
    const words = this.#words.slice(this.#at);
    this.#at = this.#words.length;
    return words;
  }

  /** Like `rest`, but at least one. */
  someRest(expected: string): Word[] {
    const words = this.rest();
    if (words.length === 0) throw new WordProblem(`${expected} is missing`, undefined);
    return words;
  }

  peek(): Word | undefined {
    return this.#words[this.#at];
  }

  /** Complains about words that nobody asked for. */
  expectEnd(): void {
    const word = this.peek();
    if (word) throw new WordProblem(`'${word.text}' is more than this record takes`, word);
  }
}

/** A decimal number from 0 to `max`. */
export function numberOf(word: Word, max: number, what: string): number {
  if (word.quoted || !/^0*\d{1,10}$/.test(word.text)) {
    throw new WordProblem(`expected ${what}, a number from 0 to ${max}`, word);
  }
  const number = Number(word.text);
  if (number > max) throw new WordProblem(`${what} is more than ${max}`, word);
  return number;
}

const secondsOf: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/**
 * Seconds as a number or with a unit behind each, `1h30m` (a usual extension of RFC 1035 §5.1); undefined where it is no
 * period.
 */
export function secondsFromText(text: string): number | undefined {
  if (!/^(?:0*\d{1,10}|(?:0*\d{1,10}[smhdw])+)$/i.test(text)) return undefined;
  let seconds = 0;
  for (const [, digits = '', unit = 's'] of text.toLowerCase().matchAll(/(\d+)([smhdw]?)/g)) {
    seconds += Number(digits) * (secondsOf[unit] ?? 1);
  }
  return seconds;
}

/** A TTL or a timer of the SOA in seconds. */
export function periodOf(word: Word, what: string): number {
  const seconds = word.quoted ? undefined : secondsFromText(word.text);
  if (seconds === undefined) throw new WordProblem(`expected ${what}, in seconds or like 1h30m`, word);
  if (seconds > 0xffffffff) throw new WordProblem(`${what} is more than 4294967295 seconds`, word);
  return seconds;
}

/** The octets of a character string with its escapes resolved. */
export function octetsOf(word: Word): Uint8Array {
  const octets = new Uint8Array(word.text.length);
  let length = 0;
  for (let i = 0; i < word.text.length; i++) {
    let code = word.text.charCodeAt(i);
    if (code === 0x5c) {
      const escaped = readEscape(word.text, i);
      if (!escaped)
        throw new WordProblem(
          'a backslash must be followed by a character or by three digits up to 255',
          word,
        );
      code = escaped.octet;
      i += escaped.length - 1;
    }
    if (code > 255) throw new WordProblem('a character is not one octet; write it as \\DDD', word);
    octets[length++] = code;
  }
  return octets.slice(0, length);
}

/**
 * What stands in a name only by mistake, unless it is escaped: a comma, a quotation mark, what templates leave behind
 * (`%`, `$`, curly brackets), what is not printable ASCII.
 */
const oddInName = /[^\w*/.!#&'+:;<=>?@()[\]^`|~\\-]/;

/**
 * A name in a master file; relative ones are completed with `origin`. Characters that host names and service labels
 * never need must be escaped, which catches slips such as a comma in place of a dot.
 */
export function nameIn(word: Word, origin: DomainName): DomainName {
  if (word.quoted) throw new WordProblem('a name is written without quotation marks', word);
  const odd = word.text === '@' ? undefined : oddInName.exec(word.text.replaceAll(/\\./gs, ''))?.[0];
  if (odd !== undefined) {
    throw new WordProblem(`the character '${odd}' in a name must be written as \\${odd}`, word);
  }
  const parsed = parseName(word.text, origin);
  if (parsed.kind === 'problem') throw new WordProblem(parsed.text, word);
  return parsed.name;
}
