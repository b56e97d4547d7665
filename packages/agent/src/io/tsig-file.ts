import { readFile, stat } from 'node:fs/promises';
import { CommandError, ExitCode } from '@copain/core';
import { formatProblem, parseTsigKeyFile, type TsigKey, tsigKeyFileExample } from '@copain/dns';
import type { Logger } from 'pino';

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

/** The same for what cannot do without: rejects with a CommandError (78) that names `neededBy`, such as `[dns] transfer`. */
export async function mustReadTsigFile(
  path: string,
  { log, neededBy }: { log: Logger; neededBy: string },
): Promise<TsigKey> {
  const read = await readTsigFile(path);
  if ('why' in read)
    throw new CommandError(ExitCode.configuration, `${neededBy}: ${read.why}`, {
      hint: `make one with: tsig-keygen NAME > ${path}; it looks like: ${tsigKeyFileExample}`,
    });
  if (((await stat(path)).mode & 0o004) !== 0)
    log.warn({ file: path }, 'everybody on this machine may read this key: chmod o-r');
  return read;
}
