import type { Command } from 'commander';
import { type Run, withExamples } from './command-kit.ts';

const awayCommands = () => import('../away-commands.ts');

/** `peer away` and `peer back`. */
export function addAwayCommands(program: Command, run: Run): void {
  withExamples(
    program
      .command('away')
      .description(
        'tell friends that this box may be off: while it is, they show it as away and worry about nothing',
      ),
    'peer away --until 2026-12-06 --note "moving house"',
    'peer away --until 7d',
    'peer back',
  )
    .option('--until <date>', 'a date, a time or a span; default: until peer back')
    .option('--note <text>', 'one line that friends see')
    .option('--force', 'also before a friend has told what this box signed before')
    .action(
      run(awayCommands, ({ goAway }, session, options: { until?: string; note?: string; force?: boolean }) =>
        goAway(session, options),
      ),
    );
  withExamples(
    program
      .command('back')
      .description('tell friends that you are back: they notice again when it falls silent'),
    'peer back',
  )
    .option('--force', 'also before a friend has told what this box signed before')
    .action(
      run(awayCommands, ({ comeBack }, session, options: { force?: boolean }) => comeBack(session, options)),
    );
}
