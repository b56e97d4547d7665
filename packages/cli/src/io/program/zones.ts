import { Argument, type Command, Option } from 'commander';
import { type DnsServerKind, dnsServers } from '../../serve-with.ts';
import { type Run, withExamples } from './command-kit.ts';

const zoneCommands = () => import('../zone-commands.ts');

/** `peer zone …` */
export function addZoneCommands(program: Command, run: Run): void {
  const zone = withExamples(
    program.command('zone').description('the zones that friends answer for you, and you for them'),
    'peer zone add alice.example --file zones/alice.example.zone',
    'peer zone list',
    'peer zone show alice.example',
  );
  withExamples(
    zone.command('add').argument('<origin>').description('own a zone: friends who offer dns answer it too'),
    'peer zone add alice.example --file zones/alice.example.zone',
    'peer zone add alice.example --primary 127.0.0.1:5300 --tsig-file tsig.key',
  )
    .addOption(
      new Option('--file <file>', 'a master file; copain watches it').conflicts(['primary', 'tsigFile']),
    )
    .option('--primary <host:port>', 'an existing hidden primary, asked by zone transfer')
    .option('--tsig-file <file>', 'key for transfers from the primary')
    .action(
      run(
        zoneCommands,
        (
          { addZone },
          session,
          origin: string,
          options: { file?: string; primary?: string; tsigFile?: string },
        ) => addZone(session, origin, options),
      ),
    );
  withExamples(
    zone.command('remove').argument('<origin>').description('own it no longer; the master file stays'),
    'peer zone remove alice.example',
  ).action(run(zoneCommands, ({ removeZone }, session, origin: string) => removeZone(session, origin)));
  withExamples(
    zone.command('list').description('all zones, their serials and who holds them'),
    'peer zone list',
    'peer zone list --json',
  ).action(run(zoneCommands, ({ listZones }, session) => listZones(session)));
  withExamples(
    zone.command('show').argument('<origin>').description('one zone: mistakes, copies, expiry'),
    'peer zone show alice.example',
  ).action(run(zoneCommands, ({ showZone }, session, origin: string) => showZone(session, origin)));
  withExamples(
    zone
      .command('push')
      .argument('<origin>')
      .description('publish the file as it is now, and tell every friend'),
    'peer zone push alice.example',
    'peer zone push alice.example --force',
  )
    .option('--force', 'also before a friend has told what this box signed before')
    .action(
      run(zoneCommands, ({ pushZone }, session, origin: string, options: { force?: boolean }) =>
        pushZone(session, origin, options),
      ),
    );
  withExamples(
    zone
      .command('diff')
      .argument('<origin>')
      .description('what the file says beside what is published; exit 1 where they differ'),
    'peer zone diff alice.example',
    'peer zone diff alice.example --json | jq .added',
  ).action(run(zoneCommands, ({ diffZone }, session, origin: string) => diffZone(session, origin)));
  withExamples(
    zone
      .command('history')
      .argument('<origin>')
      .description('the versions of a zone of yours that this box knows, newest first'),
    'peer zone history alice.example',
  ).action(run(zoneCommands, ({ zoneHistory }, session, origin: string) => zoneHistory(session, origin)));
  withExamples(
    zone
      .command('check')
      .argument('<file>')
      .argument('<origin>')
      .description('every mistake of a master file; exit 1 where it has any'),
    'peer zone check zones/alice.example.zone alice.example',
  ).action(
    run(zoneCommands, ({ checkZone }, session, file: string, origin: string) =>
      checkZone(session, file, origin),
    ),
  );
  withExamples(
    zone
      .command('serve-with')
      .addArgument(new Argument('<server>', 'the program that answers').choices(dnsServers))
      .description('what an existing DNS server needs in its configuration to take all zones from this box'),
    'peer zone serve-with knot >> /etc/knot/knot.conf',
    'peer zone serve-with bind --peer 127.0.0.2:53',
  )
    .option('--peer <host:port>', 'which server of [dns] transfer; default: the first')
    .action(
      run(
        () => import('../serve-with-command.ts'),
        ({ serveWith }, session, server: DnsServerKind, options: { peer?: string }) =>
          serveWith(session, server, options),
      ),
    );
}
