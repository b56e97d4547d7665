import { readFile, stat } from 'node:fs/promises';
import { CommandError, ExitCode } from '@copain/core';
import { formatProblem, parseTsigKeyFile, type TsigKey, tsigKeyFileExample } from '@copain/dns';
import type { Logger } from 'pino';
import { besideConfig } from '../config-paths.ts';

/**
 * Reads the key of a `tsig-file`. Rejects with a CommandError (78) that names file, line and column of a mistake; `key`
 * is what needs it, such as `[dns] transfer`.
 */
export async function readTsigKey(
  { configFile, log, key }: { configFile: string; log: Logger; key: string },
  file: string,
): Promise<TsigKey> {
  const path = besideConfig(configFile, file);
  const text = await readFile(path, 'latin1').catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(ExitCode.configuration, `${key}: the key cannot be read: ${why}`, {
      hint: `make one with: tsig-keygen NAME > ${path}; it looks like: ${tsigKeyFileExample}`,
      cause,
    });
  });
  const read = parseTsigKeyFile({ text, file: path });
  if (read.kind === 'problem') throw new CommandError(ExitCode.configuration, formatProblem(read.problem));
  if (((await stat(path)).mode & 0o004) !== 0)
    log.warn({ file: path }, 'everybody on this machine may read this key: chmod o-r');
  return read.key;
}
