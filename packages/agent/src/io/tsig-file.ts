import { readFile } from 'node:fs/promises';
import { formatProblem, parseTsigKeyFile, type TsigKey } from '@copain/dns';

/** The key of a `tsig-file`, or why there is none, with its place where it has one. Never shows a secret. */
export async function readTsigFile(path: string): Promise<TsigKey | { why: string }> {
  let text: string;
  try {
    text = await readFile(path, 'latin1');
  } catch (cause) {
    return { why: `tsig-file cannot be read: ${cause instanceof Error ? cause.message : String(cause)}` };
  }
  const read = parseTsigKeyFile({ text, file: path });
  return read.kind === 'key' ? read.key : { why: formatProblem(read.problem) };
}
