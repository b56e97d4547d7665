import { MasterWords, SpellingProblem } from './master-words.ts';
import { type Word, WordProblem } from './word.ts';

/** What `$GENERATE` counts through: both ends belong to it. */
interface GenerateRange {
  start: number;
  stop: number;
  step: number;
}

/** The largest value, of the range and of what an offset makes of it, as in BIND. */
const valueMax = 2 ** 31 - 1;
/** Places that a value is filled up to; the longest label has fewer. */
const widthMax = 64;

/**
 * The entries that `$GENERATE start-stop[/step] owner [ttl] [class] type data` stands for (BIND's shorthand, in no RFC),
 * one after the other. In each word `$` is the number, `${offset,width,base}` the number with something added, filled up
 * with zeros, in base d, o, x, X, or n and N for nibbles with dots; `$$` and `\$` are the sign itself. Data in one pair of
 * quotation marks, `MX "10 m$"`, are the words within, as in BIND, which takes them in no other way. Throws WordProblem.
 */
export function* generatedEntries(words: readonly Word[]): Generator<Word[]> {
  const [, rangeWord, ...written] = words as [Word, ...Word[]];
  const range = rangeOf(rangeWord, words);
  const entry = unquotedData(written);
  for (let value = range.start; value <= range.stop; value += range.step) {
    yield entry.map((word) => ({ ...word, text: filledIn(word, value) }));
  }
}

/** How many entries `generatedEntries` makes of the same words, without making any. Throws WordProblem where it would. */
export function generatedCount(words: readonly Word[]): number {
  const { start, stop, step } = rangeOf(words[1], words);
  return Math.floor((stop - start) / step) + 1;
}

function rangeOf(word: Word | undefined, words: readonly Word[]): GenerateRange {
  if (word === undefined) throw new WordProblem('a range like 1-10 or 1-10/2 is missing', undefined);
  const match = word.quoted ? null : /^(\d{1,10})-(\d{1,10})(?:\/(\d{1,10}))?$/.exec(word.text);
  const [start = 0, stop = 0, step = 1] = match?.slice(1).map((text) => Number(text ?? 1)) ?? [];
  if (!match || start > stop || stop > valueMax || step < 1 || step > valueMax)
    throw new WordProblem(`expected a range like 1-10 or 1-10/2, up to ${valueMax}`, word);
  if (words.length < 5)
    throw new WordProblem('a range is followed by an owner name, a type and data', words.at(-1));
  return { start, stop, step };
}

/** An entry whose data stand in quotation marks, with its data as words. */
function unquotedData(entry: readonly Word[]): readonly Word[] {
  const type = entry.findIndex(({ text }, index) => index > 0 && !/^(?:\d.*|IN)$/i.test(text));
  const [data, more] = entry.slice(type + 1);
  if (!data?.quoted || more !== undefined) return entry;
  try {
    const words = new MasterWords(data.text.replaceAll('\\"', '"')).next();
    const { line, column } = data;
    return [...entry.slice(0, type + 1), ...words.map((word) => ({ ...word, line, column }))];
  } catch (error) {
    if (error instanceof SpellingProblem) throw new WordProblem(error.message, data);
    throw error;
  }
}

function filledIn(word: Word, value: number): string {
  return word.text.replaceAll(
    /\\.|\$\$|\$\{([^}]*)\}|\$\{?/gs,
    (all: string, modifier: string | undefined) => {
      // Escaped, since in a name the sign by itself would be taken for a slip.
      if (all.startsWith('\\')) return all;
      if (all === '$$') return '\\$';
      if (all === '${') throw new WordProblem('a curly bracket behind $ is not closed', word);
      return modifier === undefined ? String(value) : modified(word, value, modifier);
    },
  );
}

function modified(word: Word, value: number, modifier: string): string {
  const match = /^([-+]?\d{1,10})(?:,(\d{1,10})(?:,([doxXnN]))?)?$/.exec(modifier);
  const width = Number(match?.[2] ?? 0);
  const sum = value + Number(match?.[1] ?? 0);
  if (!match || width > widthMax)
    throw new WordProblem(
      `expected \${offset}, \${offset,width} or \${offset,width,base} with base d, o, x, X, n or N, not '\${${modifier}}'`,
      word,
    );
  if (Math.abs(sum) > valueMax) throw new WordProblem(`\${${modifier}} leads beyond ${valueMax}`, word);
  switch (match[3] ?? 'd') {
    case 'o':
      return (sum >>> 0).toString(8).padStart(width, '0');
    case 'x':
      return (sum >>> 0).toString(16).padStart(width, '0');
    case 'X':
      return (sum >>> 0).toString(16).toUpperCase().padStart(width, '0');
    case 'n':
      return nibbles((sum >>> 0).toString(16), width);
    case 'N':
      return nibbles((sum >>> 0).toString(16).toUpperCase(), width);
    default:
      return (sum < 0 ? '-' : '') + String(Math.abs(sum)).padStart(sum < 0 ? width - 1 : width, '0');
  }
}

/** The digits backwards with dots between, as reverse IPv6 names have them; `width` counts the dots too, and so may end with one. */
function nibbles(digits: string, width: number): string {
  const dotted = digits
    .padStart(Math.ceil(width / 2), '0')
    .split('')
    .toReversed()
    .join('.');
  return dotted.length < width ? `${dotted}.` : dotted;
}
