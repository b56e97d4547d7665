import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that other users may enter (Postfix drops its privileges), gone when disposed. */
export function temporaryFolder(name: string): AsyncDisposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), `copain-e2e-${name}-`));
  chmodSync(path, 0o755);
  return {
    path,
    [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }),
  };
}
