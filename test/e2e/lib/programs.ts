import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Where `scripts/test --with-peers` unpacks what cannot be installed beside the other peers. */
export const unpackedPeers = '/usr/local/lib/copain-peers';

/** Where Debian keeps daemons and tools of the superuser, which a user's PATH may lack. */
const folders = [
  ...(process.env.PATH ?? '').split(':'),
  '/usr/sbin',
  '/sbin',
  join(unpackedPeers, 'usr/sbin'),
];

function has(program: string): boolean {
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Why these tests cannot run here, or undefined where they can: programs that are missing, or root. The reason is
 * printed, for a test that is skipped without a word looks like one that passed.
 */
export function whyNot(
  needs: { programs?: readonly string[]; root?: boolean },
  suite: string,
): string | undefined {
  const missing = (needs.programs ?? []).filter((program) => !has(program));
  const reasons = [
    ...(missing.length > 0
      ? [`not installed: ${missing.join(', ')} (scripts/test --with-peers installs them)`]
      : []),
    ...(needs.root && process.getuid?.() !== 0 ? ['needs root'] : []),
  ];
  if (reasons.length === 0) return undefined;
  const why = reasons.join('; ');
  process.stderr.write(`skipped: ${suite}: ${why}\n`);
  return why;
}
