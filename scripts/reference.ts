import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { main } from '../packages/cli/src/io/main.ts';
import { buildProgram } from '../packages/cli/src/io/program.ts';
import type { World } from '../packages/cli/src/io/session.ts';
import { buildStatus, type MetricCounters, metricsText } from '../packages/status/src/index.ts';
import { quietFacts } from '../packages/status/src/testing.ts';

/** The reference pages, each made from the code it describes: by path, their whole text. */
export async function referencePages(): Promise<Map<string, string>> {
  return new Map([
    ['docs/reference/commands.md', await commandsPage()],
    ['docs/reference/limits.md', limitsPage()],
    ['docs/reference/metrics.md', metricsPage()],
  ]);
}

/** The metrics of a box without anything: each name with its type and its help. */
function metricsPage(): string {
  const status = buildStatus(quietFacts(), 0);
  const counters: MetricCounters = {
    dnsQueries: [],
    dnsLimited: [],
    dnsTransfers: [],
    zonesReceived: [],
    mailAccepted: [],
    mailDelivered: [],
    mailRaw: [],
    refused: [],
    lineBytes: [],
    residentMemoryBytes: 0,
  };
  const text = metricsText({ status, counters, nowMs: 0 });
  const rows = [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)].map(
    ([, name = '', help = '', type = '']) => `| \`${name}\` | ${type} | ${help.replaceAll('|', '\\|')} |`,
  );
  const intro = '`GET /metrics` of `[http] listen`, Prometheus text format. What is not known has no sample.';
  return `${['# Metrics', '', madeBy, '', intro, '', '| name | type | says |', '|---|---|---|', ...rows].join('\n')}\n`;
}

const madeBy = '<!-- Made by scripts/reference from the code; a test keeps it true. -->';

function worldWriting(out: string[]): World {
  const collect = (): Writable =>
    new Writable({
      write: (chunk, _encoding, done) => {
        out.push(String(chunk));
        done();
      },
    });
  return {
    env: { NO_COLOR: '1' },
    cwd: '/',
    uid: 0,
    stdin: Readable.from([]),
    stdout: collect(),
    stderr: collect(),
    interrupted: new AbortController().signal,
    version: '',
  };
}

/** Every command that does something, in the order of the help, as the words after `peer`. */
function commandPaths(command: ReturnType<typeof buildProgram>, above: readonly string[] = []): string[][] {
  return command.commands.flatMap((sub) => {
    const path = [...above, sub.name()];
    return sub.commands.length === 0 ? [path] : commandPaths(sub, path);
  });
}

async function commandsPage(): Promise<string> {
  const program = buildProgram(worldWriting([]), () => undefined);
  const parts = [
    '# Commands',
    '',
    madeBy,
    '',
    'Each is what `peer COMMAND --help` prints. `--home`, `--json`, `--yes` and `--no-input` work everywhere.',
  ];
  for (const path of commandPaths(program)) {
    const out: string[] = [];
    await main([...path, '--help'], worldWriting(out));
    // The options of all commands are the same and stand above.
    const [own = ''] = out.join('').split('\nGlobal Options:');
    parts.push('', `## peer ${path.join(' ')}`, '', '```text', own.trimEnd(), '```');
  }
  return `${parts.join('\n')}\n`;
}

const described =
  /\/\*\*((?:[^*]|\*(?!\/))*?)\s*\*\/\n(?:export const )?(\s*)(\w+)(?::\s*[^=\n]+?(?= =))?\s*[:=]\s*([^\n]*?)[;,]\n/g;

function limitsPage(): string {
  const parts = [
    '# Limits',
    '',
    madeBy,
    '',
    'Everything that comes from outside or grows has an end. Names end in their unit.',
  ];
  for (const file of globSync('packages/*/src/{,io/}{,*-}limits.ts').sort()) {
    const rows = [...readFileSync(file, 'utf8').matchAll(described)].flatMap(
      ([, text = '', , name = '', value = '']) => {
        const reason = text
          .replaceAll(/\s*\n \s*\*\s?/g, ' ')
          .replaceAll('|', '\\|')
          .trim();
        return value.endsWith('{')
          ? []
          : [`| \`${name}\` | ${value.replaceAll('_', ' ').replaceAll('*', '×')} | ${reason} |`];
      },
    );
    if (rows.length === 0) continue;
    parts.push(
      '',
      `## ${file.split('/')[1] ?? ''} (\`${file}\`)`,
      '',
      '| limit | value | why |',
      '|---|---|---|',
      ...rows,
    );
  }
  return `${parts.join('\n')}\n`;
}

if (process.argv[1] === import.meta.filename) {
  for (const [path, text] of await referencePages()) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    process.stdout.write(`${path}\n`);
  }
}
