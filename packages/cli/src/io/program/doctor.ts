import type { Command } from 'commander';
import { type Run, withExamples } from './command-kit.ts';

const doctorLineCommand = () => import('../doctor-line-command.ts');
const doctorChecksCommand = () => import('../doctor-checks-command.ts');

/** `peer doctor …` */
export function addDoctorCommands(program: Command, run: Run): void {
  const doctor = withExamples(
    program.command('doctor').description('measures and checks that take a moment'),
    'peer doctor',
    'peer doctor net --ask-friends',
    'peer doctor line bob',
  );
  withExamples(
    doctor
      .command('all', { isDefault: true })
      .description(
        'net, dns, mail and disk, one after the other (also without "all"); exit 1 where something is wrong',
      ),
    'peer doctor',
    'peer doctor --json | jq ".checks[] | select(.ok == false)"',
  )
    .option('--ask-friends', 'have friends dial now, instead of telling what they found last')
    .action(
      run(doctorChecksCommand, ({ doctorAll }, session, options: { askFriends?: boolean }) =>
        doctorAll(session, options),
      ),
    );
  withExamples(
    doctor.command('net').description('how this box looks from outside; exit 1 where it cannot be reached'),
    'peer doctor net',
    'peer doctor net --ask-friends',
    'peer doctor net --json | jq .checks',
  )
    .option('--ask-friends', 'have friends dial now, instead of telling what they found last')
    .action(
      run(doctorChecksCommand, ({ doctorNet }, session, options: { askFriends?: boolean }) =>
        doctorNet(session, options),
      ),
    );
  withExamples(
    doctor
      .command('dns')
      .description(
        'zones of this box and their hidden primaries, which are asked now; exit 1 where something fails',
      ),
    'peer doctor dns',
    'peer doctor dns --json | jq .checks',
  ).action(run(doctorChecksCommand, ({ doctorDns }, session) => doctorDns(session)));
  withExamples(
    doctor
      .command('mail')
      .description(
        'is mail safe? Backups are asked now, and what they accepted held against what arrived; exit 1 for no',
      ),
    'peer doctor mail',
    'peer doctor mail --json | jq .checks',
  ).action(run(doctorChecksCommand, ({ doctorMail }, session) => doctorMail(session)));
  withExamples(
    doctor
      .command('disk')
      .description(
        'reads all mail that lies here, and tells how much room there is; exit 1 where something is wrong',
      ),
    'peer doctor disk',
    'peer doctor disk --json | jq .checks',
    'peer doctor disk --fix',
  )
    .option(
      '--fix',
      'set aside in files what cannot be read, so that copies of it can come; nothing is deleted',
    )
    .action(
      run(doctorChecksCommand, ({ doctorDisk }, session, options: { fix?: boolean }) =>
        doctorDisk(session, options),
      ),
    );
  withExamples(
    doctor
      .command('line')
      .argument('<name>')
      .description('fill the line to a friend for some seconds: what it carries, and what limits it'),
    'peer doctor line bob',
    'peer doctor line bob --for 30s --json',
  )
    .option('--for <span>', 'how long, 1s to 30s; a friend allows it once a minute', '10s')
    .action(
      run(doctorLineCommand, ({ doctorLine }, session, name: string, options: { for: string }) =>
        doctorLine(session, name, options),
      ),
    );
}
