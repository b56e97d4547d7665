import type { Command } from 'commander';
import { type Run, withExamples } from './command-kit.ts';

const statusCommands = () => import('../status-commands.ts');

/** `peer status`, `peer events`, `peer wait` and `peer report`. */
export function addWatchCommands(program: Command, run: Run): void {
  withExamples(
    program
      .command('status')
      .argument('[name]', 'one friend')
      .description('what happens if this box dies now'),
    'peer status',
    'peer status bob',
    'peer status --json | jq .verdict',
    'peer status --watch',
  )
    .option('--watch', 'again every two seconds')
    .option('--plain', 'tab-separated records, one a line')
    .action(
      run(
        statusCommands,
        ({ status }, session, name: string | undefined, options: { watch?: boolean; plain?: boolean }) =>
          status(session, name, options),
      ),
    );
  withExamples(
    program.command('events').description('what happened, oldest first'),
    'peer events --since 2h',
    'peer events -f',
  )
    .option('-f, --follow', 'and what happens from now on')
    .option('--since <when>', 'so long ago (2h) or at a time (2026-11-22T20:00:00Z)')
    .action(
      run(statusCommands, ({ events }, session, options: { follow?: boolean; since?: string }) =>
        events(session, options),
      ),
    );
  withExamples(
    program.command('wait').description('wait until something is so; exit 1 when the time is up'),
    'peer wait --for ready',
    'peer wait --for friend:bob --timeout 10s',
    'peer wait --for zone:alice.example=2026112204',
    'peer wait --for mail-empty:alice.example',
  )
    .requiredOption('--for <what>', 'ready | friend:NAME | zone:ORIGIN[=SERIAL] | mail-empty:DOMAIN')
    .option('--timeout <span>', 'how long', '60s')
    .action(
      run(statusCommands, ({ waitFor }, session, options: { for: string; timeout: string }) =>
        waitFor(session, options),
      ),
    );
  withExamples(
    program
      .command('report')
      .description('what somebody who looks for a fault wants to know, with names and addresses replaced'),
    'peer report --out report.json',
    'peer report | less',
  )
    .option('--out <file>', 'write it there; the file must not be there yet')
    .action(
      run(
        () => import('../report-command.ts'),
        ({ report }, session, options: { out?: string }) => report(session, options),
      ),
    );
}
