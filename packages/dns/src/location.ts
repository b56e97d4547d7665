import { type Word, WordProblem, type WordReader } from './word.ts';

/** RFC 1876 §3 defaults: size 1 m, horizontal 10,000 m, vertical 10 m, in centimetres. */
const defaultsCm = [100, 1_000_000, 1000];
const equator = 2 ** 31;
const altitudeBaseCm = 10_000_000;

/** Rdata of LOC from its text form: `52 22 23 N 4 53 32 E -2m 0m 10000m 10m` (RFC 1876 §3). */
export function parseLocation(words: WordReader): Uint8Array {
  const latitude = readAngle(words, 90, 'N', 'S');
  const longitude = readAngle(words, 180, 'E', 'W');
  const altitudeWord = words.next('the altitude');
  const altitude = Math.round(metres(altitudeWord, /^-?\d{1,8}(\.\d{1,2})?m?$/) * 100) + altitudeBaseCm;
  if (altitude < 0 || altitude > 0xffffffff)
    throw new WordProblem('the altitude is out of range', altitudeWord);
  const precisions = words.rest();
  if (precisions.length > 3) throw new WordProblem('more than this record takes', precisions[3]);
  const rdata = new Uint8Array(16);
  const view = new DataView(rdata.buffer);
  for (const [index, standardCm] of defaultsCm.entries()) {
    const word = precisions[index];
    const cm = word ? Math.round(metres(word, /^\d{1,8}(\.\d{1,2})?m?$/) * 100) : standardCm;
    if (cm > 9e9) throw new WordProblem('the size or precision is more than 90000000 m', word);
    rdata[1 + index] = mantissaAndExponent(cm);
  }
  view.setUint32(4, equator + latitude);
  view.setUint32(8, equator + longitude);
  view.setUint32(12, altitude);
  return rdata;
}

/** Thousandths of a second of arc, north and east positive. */
function readAngle(words: WordReader, degreesMax: number, positive: string, negative: string): number {
  const numbers: number[] = [];
  for (;;) {
    const word = words.next(`degrees, minutes, seconds and ${positive} or ${negative}`);
    if (word.quoted) throw new WordProblem('a place is written without quotation marks', word);
    if (word.text === positive || word.text === negative) {
      if (numbers.length === 0) throw new WordProblem('the degrees are missing', word);
      const total = Math.round(
        ((numbers[0] ?? 0) * 3600 + (numbers[1] ?? 0) * 60 + (numbers[2] ?? 0)) * 1000,
      );
      if (total > degreesMax * 3_600_000) throw new WordProblem(`more than ${degreesMax} degrees`, word);
      return word.text === positive ? total : -total;
    }
    const pattern = numbers.length === 2 ? /^\d{1,2}(\.\d{1,3})?$/ : /^\d{1,3}$/;
    const max = numbers.length === 0 ? degreesMax : 59.9995;
    if (numbers.length > 2 || !pattern.test(word.text) || Number(word.text) > max) {
      throw new WordProblem(
        `expected degrees up to ${degreesMax}, minutes, seconds and ${positive} or ${negative}`,
        word,
      );
    }
    numbers.push(Number(word.text));
  }
}

function metres(word: Word, pattern: RegExp): number {
  if (word.quoted || !pattern.test(word.text)) throw new WordProblem('expected metres like 10.50m', word);
  return Number(word.text.replace('m', ''));
}

/** RFC 1876 §2: four bits of mantissa, four bits of power of ten, in centimetres. */
function mantissaAndExponent(cm: number): number {
  let mantissa = cm;
  let exponent = 0;
  while (mantissa > 9) {
    mantissa = Math.floor(mantissa / 10);
    exponent++;
  }
  return (mantissa << 4) | exponent;
}

/** The text form of LOC rdata; undefined for a version other than 0 or a length other than 16 octets. */
export function formatLocation(rdata: Uint8Array): string | undefined {
  if (rdata.length !== 16 || rdata[0] !== 0) return undefined;
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength);
  const angle = (value: number, positive: string, negative: string) => {
    const size = Math.abs(value);
    const seconds = (size % 60_000) / 1000;
    const minutes = Math.floor(size / 60_000) % 60;
    return `${Math.floor(size / 3_600_000)} ${minutes} ${seconds.toFixed(3)} ${value < 0 ? negative : positive}`;
  };
  const precision = (octet: number) => `${(((octet >> 4) * 10 ** (octet & 15)) / 100).toFixed(2)}m`;
  return [
    angle(view.getUint32(4) - equator, 'N', 'S'),
    angle(view.getUint32(8) - equator, 'E', 'W'),
    `${((view.getUint32(12) - altitudeBaseCm) / 100).toFixed(2)}m`,
    ...[1, 2, 3].map((at) => precision(rdata[at] ?? 0)),
  ].join(' ');
}
