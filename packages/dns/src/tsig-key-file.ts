import { parseBase64 } from './base-text.ts';
import { tsigKeyFileBytesMax, tsigSecretBytesMax, tsigSecretBytesMin } from './limits.ts';
import type { ZoneProblem } from './master-file.ts';
import { type DomainName, lowerName, parseName } from './name.ts';
import { isTsigAlgorithm, type TsigAlgorithm, type TsigKey } from './tsig-record.ts';

/** The key of a file, or the first mistake in it. No message ever shows a secret. */
export type TsigKeyFile = { kind: 'key'; key: TsigKey } | { kind: 'problem'; problem: ZoneProblem };

/** What a key file looks like, for messages and help. */
export const tsigKeyFileExample = 'key "NAME" { algorithm hmac-sha256; secret "BASE64"; };';

interface Token {
  text: string;
  quoted: boolean;
  line: number;
  column: number;
}

/** Thrown inside this file only. */
class KeyFileProblem extends Error {
  override name = 'KeyFileProblem';
  readonly at: { line: number; column: number };
  constructor(text: string, at: { line: number; column: number }) {
    super(text);
    this.at = at;
  }
}

/**
 * Reads a TSIG key in the form that `tsig-keygen` writes and named.conf uses: `key "name" { algorithm hmac-sha256;
 * secret "base64"; };`, with comments of all three kinds. Exactly one key. `file` is its name in messages.
 */
export function parseTsigKeyFile({ text, file }: { text: string; file: string }): TsigKeyFile {
  try {
    if (text.length > tsigKeyFileBytesMax)
      throw new KeyFileProblem('the file is too long for one key', { line: 1, column: 1 });
    return { kind: 'key', key: readKey(new Tokens(text)) };
  } catch (error) {
    if (!(error instanceof KeyFileProblem)) throw error;
    const { line, column } = error.at;
    return { kind: 'problem', problem: { severity: 'error', file, line, column, text: error.message } };
  }
}

function readKey(tokens: Tokens): TsigKey {
  tokens.expect('key', `a key, like: ${tsigKeyFileExample}`);
  const name = keyName(tokens.word('the name of the key'));
  tokens.expect('{', "'{'");
  let algorithm: TsigAlgorithm | undefined;
  let secret: Uint8Array | undefined;
  const start = tokens.peek();
  while (tokens.peek().text !== '}' || tokens.peek().quoted) {
    const clause = tokens.word("'algorithm', 'secret' or '}'");
    if (clause.text === 'algorithm' && algorithm === undefined)
      algorithm = keyAlgorithm(tokens.word('an algorithm, such as hmac-sha256'));
    else if (clause.text === 'secret' && secret === undefined)
      secret = keySecret(tokens.word('the secret in base64'));
    else throw new KeyFileProblem("expected 'algorithm' once, 'secret' once, then '}'", clause);
    tokens.expect(';', "';'");
  }
  if (!algorithm) throw new KeyFileProblem("the key has no 'algorithm'", start);
  if (!secret) throw new KeyFileProblem("the key has no 'secret'", start);
  tokens.expect('}', "'}'");
  tokens.expect(';', "';'");
  const behind = tokens.peek();
  if (!isEnd(behind)) throw new KeyFileProblem('expected nothing behind the key: one key a file', behind);
  return { name, algorithm, secret };
}

function keyName(token: Token): DomainName {
  const parsed = parseName(token.text);
  if (parsed.kind === 'problem') throw new KeyFileProblem(`the name of the key: ${parsed.text}`, token);
  return lowerName(parsed.name);
}

function keyAlgorithm(token: Token): TsigAlgorithm {
  const text = token.text.toLowerCase().replace(/\.$/, '');
  if (isTsigAlgorithm(text)) return text;
  throw new KeyFileProblem('expected hmac-sha256, hmac-sha384 or hmac-sha512', token);
}

function keySecret(token: Token): Uint8Array {
  const secret = parseBase64(token.text.replaceAll(/\s/g, ''));
  if (!secret) throw new KeyFileProblem('the secret is not base64', token);
  if (secret.length < tsigSecretBytesMin || secret.length > tsigSecretBytesMax) {
    const text = `the secret has ${secret.length} octets; ${tsigSecretBytesMin} to ${tsigSecretBytesMax} are allowed (tsig-keygen makes a good one)`;
    throw new KeyFileProblem(text, token);
  }
  return secret;
}

function isEnd(token: Token): boolean {
  return token.text === '' && !token.quoted;
}

/** One word, quoted string, brace or semicolon; before it any white space and comments. */
const tokenPattern =
  /(?:\s+|\/\/[^\n]*|#[^\n]*|\/\*.*?\*\/)*(?:"([^"\n]*)"|([{};])|((?!\/[/*])[^\s{};"#]+))?/sy;

class Tokens {
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(text: string) {
    tokenPattern.lastIndex = 0;
    let at = 0;
    for (;;) {
      tokenPattern.lastIndex = at;
      const [whole = '', quoted, mark, word] = tokenPattern.exec(text) ?? [];
      const token = quoted === undefined ? (mark ?? word ?? '') : quoted;
      const length = quoted === undefined ? token.length : token.length + 2;
      const place = placeOf(text, at + whole.length - length);
      if (quoted === undefined && token === '' && at + whole.length < text.length)
        throw new KeyFileProblem(`unexpected '${text[at + whole.length]}'`, placeOf(text, at + whole.length));
      this.#tokens.push({ text: token, quoted: quoted !== undefined, ...place });
      if (quoted === undefined && token === '') return;
      at += whole.length;
    }
  }

  /** The next token; at the end an empty one. */
  peek(): Token {
    return this.#tokens[Math.min(this.#at, this.#tokens.length - 1)] as Token;
  }

  #take(): Token {
    const token = this.peek();
    this.#at++;
    return token;
  }

  expect(text: string, what: string): void {
    const token = this.#take();
    if (token.text !== text || token.quoted) throw new KeyFileProblem(`expected ${what}`, token);
  }

  word(what: string): Token {
    const token = this.#take();
    if (isEnd(token) || (!token.quoted && /^[{};]$/.test(token.text)))
      throw new KeyFileProblem(`expected ${what}`, token);
    return token;
  }
}

function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lineAt = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineAt + 1 };
}
