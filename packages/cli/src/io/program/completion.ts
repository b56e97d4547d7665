import { Argument, type Command } from 'commander';
import { type Run, withExamples } from './command-kit.ts';

/** `peer completion bash|zsh|fish` */
export function addCompletionCommand(program: Command, run: Run): void {
  withExamples(
    program
      .command('completion')
      .addArgument(new Argument('<shell>', 'whose script').choices(['bash', 'zsh', 'fish']))
      .description(
        'a script that lets your shell complete commands, options and the names of friends and zones',
      ),
    'peer completion fish | source         in ~/.config/fish/config.fish',
    'source <(peer completion bash)        in ~/.bashrc',
    'source <(peer completion zsh)         in ~/.zshrc, after compinit',
  ).action(
    run(
      () => import('../completion-command.ts'),
      async ({ completion }, session, shell: 'bash' | 'zsh' | 'fish') => completion(session, shell, program),
    ),
  );
}
