import { readFileSync } from 'node:fs';

const oldestNode = 24;
const major = Number(process.versions.node.split('.')[0]);
if (major < oldestNode) {
  process.stderr.write(
    `peer: Node ${oldestNode} or newer is needed, this is ${process.versions.node}; run scripts/setup\n`,
  );
  process.exit(78);
}

const { main } = await import('./main.ts');
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

// A reader that has seen enough (`peer events | head`) is no error.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });

/** ^C ends a command at once, as everywhere, unless it asks to hear of it; the agent has signal handlers of its own. */
let interrupted: AbortController | undefined;
function onInterrupt(): AbortSignal {
  if (!interrupted) {
    const controller = new AbortController();
    process.once('SIGINT', () => controller.abort());
    interrupted = controller;
  }
  return interrupted.signal;
}

const exit = await main(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  uid: process.getuid?.() ?? -1,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  get interrupted() {
    return onInterrupt();
  },
  version,
});
process.exitCode = exit;
// Everything that was written goes out first; a handle that somebody left open must not keep a command alive.
process.stdout.write('', () => process.exit(exit));
