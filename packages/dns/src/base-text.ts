/** The octets of base64 (RFC 4648 §4) with its padding, or undefined where the text is none. */
export function parseBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return fromBits(text.replace(/=+$/, ''), base64Alphabet, 6);
}

/** Base64 with padding. */
export function formatBase64(octets: Uint8Array): string {
  const text = toBits(octets, base64Alphabet, 6);
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}

/** The octets of base32hex (RFC 4648 §7) in either case, with its padding or, as RFC 5155 §3.3 wants it, without; else undefined. */
export function parseBase32Hex(text: string): Uint8Array | undefined {
  const match = /^([0-9a-vA-V]*)(=*)$/.exec(text);
  const digits = match?.[1] ?? '';
  const padding = match?.[2] ?? '';
  if (!match || digits === '' || ![0, 2, 4, 5, 7].includes(digits.length % 8)) return undefined;
  if (padding !== '' && ((digits.length + padding.length) % 8 !== 0 || padding.length > 6)) return undefined;
  const octets = fromBits(digits.toLowerCase(), base32HexAlphabet, 5);
  // The bits left over are zero (RFC 4648 §3.5), or the text was cut somewhere else.
  return formatBase32Hex(octets) === digits.toLowerCase() ? octets : undefined;
}

/** Base32hex in lower case without padding, as NSEC3 owner names are written (RFC 5155 §3.3). */
export function formatBase32Hex(octets: Uint8Array): string {
  return toBits(octets, base32HexAlphabet, 5);
}

const base64Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const base32HexAlphabet = '0123456789abcdefghijklmnopqrstuv';

function fromBits(digits: string, alphabet: string, width: number): Uint8Array {
  const octets = new Uint8Array(Math.floor((digits.length * width) / 8));
  let buffered = 0;
  let bits = 0;
  let length = 0;
  for (const digit of digits) {
    buffered = ((buffered << width) | alphabet.indexOf(digit)) & 0xffff;
    bits += width;
    if (bits < 8) continue;
    bits -= 8;
    octets[length++] = (buffered >> bits) & 255;
  }
  return octets;
}

function toBits(octets: Uint8Array, alphabet: string, width: number): string {
  let text = '';
  let buffered = 0;
  let bits = 0;
  for (const octet of octets) {
    buffered = ((buffered << 8) | octet) & 0xffff;
    bits += 8;
    while (bits >= width) {
      bits -= width;
      text += alphabet[(buffered >> bits) & (2 ** width - 1)];
    }
  }
  if (bits > 0) text += alphabet[(buffered << (width - bits)) & (2 ** width - 1)];
  return text;
}
