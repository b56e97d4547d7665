import { fishCompletion } from '../completion-fish.ts';
import { bashCompletion, zshCompletion } from '../completion-posix.ts';
import { type CompletedCommand, completedCommands, type DescribedCommand } from '../completion-tree.ts';
import type { Session } from './session.ts';

const shells: Record<'bash' | 'zsh' | 'fish', (commands: CompletedCommand[]) => string> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** `peer completion bash|zsh|fish`: a script for that shell, made from the commands that there are. */
export function completion(session: Session, shell: keyof typeof shells, program: DescribedCommand): void {
  const script = shells[shell](completedCommands(program));
  session.answer('completion', { shell, script }, script);
}
