import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runWell } from '../../test/e2e/lib/run.ts';

/** The variables that make a program flush slowly. Compiles the library into `folder`, which everybody must be able to read. */
export async function slowFlushes(folder: string): Promise<Record<string, string>> {
  const library = join(folder, 'slow-flush.so');
  const source = new URL('slow-flush.c', import.meta.url).pathname;
  await runWell(['cc', '-O2', '-Wall', '-shared', '-fPIC', '-o', library, source, '-ldl']);
  const lock = join(folder, 'lock');
  // Postfix's daemons run as a user of their own.
  writeFileSync(lock, '', { mode: 0o666 });
  await runWell(['chmod', '666', lock]);
  return { LD_PRELOAD: library, SLOW_FLUSH_LOCK: lock };
}
