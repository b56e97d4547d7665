import { CommandError, ExitCode, visible } from '@copain/core';
import { CommanderError } from 'commander';
import { buildProgram } from './program.ts';
import type { World } from './session.ts';

/** Lines of a message as a terminal may show them; the longest name a path. What others said may stand in them. */
const harmless = (text: string): string =>
  text
    .split('\n')
    .map((line) => visible(line, 4200))
    .join('\n');

/** An error as the person reads it, and the status to leave with. */
function explain(error: unknown): { text: string; exit: number } {
  if (error instanceof CommandError) {
    const hint = error.hint === undefined ? '' : `  try: ${error.hint}\n`;
    // Several lines are a report, mostly `FILE:LINE:COL: …`: each stands at the beginning of its line, for editors.
    const message = error.message.trimEnd();
    const text = message.includes('\n') ? message : `peer: ${message}`;
    return { text: harmless(`${text}\n${hint}`), exit: error.exit };
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { text: harmless(`peer: this is a bug in copain\n${detail}\n`), exit: ExitCode.bug };
}

/** Runs one command line and resolves with its exit status. Never rejects, never ends the process. */
export async function main(argv: readonly string[], world: World): Promise<number> {
  let exit: number = ExitCode.done;
  const program = buildProgram(world, (status) => {
    exit = status;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    // Commander has written its own message by now; what it did because it was asked to (help, version) has status 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
    const { text, exit: status } = explain(error);
    world.stderr.write(text);
    return status;
  }
}
