import { CommandError, ExitCode } from '@copain/core';

/** An argument that a command cannot do without. Throws CommandError (64) where it is missing. */
export function text(args: Record<string, unknown>, name: string): string {
  const value = args[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new CommandError(ExitCode.usage, `${name} is missing`);
}
