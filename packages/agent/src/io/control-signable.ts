import { CommandError, ExitCode } from '@copain/core';
import type { Agent } from './agent.ts';

/** How long a command waits for friends to say what this box signed before; right after a start they are just coming. */
const signableWithinMs = 3000;

/** May the box sign, or does the person say that it shall all the same (`force`)? */
export async function signableSoon(agent: Agent, args: Record<string, unknown>): Promise<boolean> {
  if (agent.standing.maySign() || args.force === true) return true;
  if (agent.standing.finding().kind === 'cloned') return false;
  const patience = AbortSignal.timeout(signableWithinMs);
  const late = new Promise<void>((resolve) =>
    patience.addEventListener('abort', () => resolve(), { once: true }),
  );
  await Promise.race([agent.standing.signable(), late]);
  return agent.standing.maySign();
}

function whyNotSigning(agent: Agent): string {
  return agent.standing.finding().kind === 'cloned'
    ? "another box runs with this box's key"
    : 'no friend has told yet what this box signed before';
}

/** Accepted, kept, and done as soon as it may be signed (75). */
export function queued(agent: Agent, what: string, anyway: string): CommandError {
  return new CommandError(
    ExitCode.queued,
    `${what} waits to be signed: ${whyNotSigning(agent)}; it is signed as soon as one has`,
    { hint: `to sign it now: ${anyway}` },
  );
}

/** Throws CommandError (69) where `what` cannot be signed now and nobody says that it shall be all the same. */
export async function needSignable(agent: Agent, args: Record<string, unknown>, what: string): Promise<void> {
  if (await signableSoon(agent, args)) return;
  throw new CommandError(ExitCode.unreachable, `${what} must be signed, and ${whyNotSigning(agent)}`, {
    hint: 'try again when a friend is there (peer friends), or add --force',
  });
}
