import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address } from './box.ts';
import { runWell } from './run.ts';

/** A DNS server of another make, on loopback, with a folder of its own. */
export interface DnsServer extends AsyncDisposable {
  readonly kind: DnsServerKind;
  readonly address: Address;
  readonly folder: string;
  log(): string;
  /** Sends a signal to the server. */
  signal(signal: NodeJS.Signals): void;
  /** Ends it, if it runs, and leaves its folder as it is. */
  stop(): Promise<void>;
  /** Starts it again, with the same configuration, in the same folder. */
  start(): void;
}

export type DnsServerKind = 'knot' | 'nsd' | 'bind' | 'powerdns';

/** What each of them needs installed. */
export const dnsServerPrograms: Record<DnsServerKind, string[]> = {
  knot: ['knotd'],
  nsd: ['nsd'],
  bind: ['named', 'tsig-keygen'],
  powerdns: ['pdns_server', 'pdnsutil', 'sqlite3'],
};

const sqliteSchema = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql';

/** A port of 127.0.0.1 that is free at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/**
 * Starts a server whose configuration is what an instance of its own needs (folders, address) and, as it is, the text
 * that `peer zone serve-with` printed. `files` are there before it starts, where it looks for zone files.
 */
export async function startDnsServer(
  kind: DnsServerKind,
  port: number,
  text: string,
  files: Record<string, string> = {},
): Promise<DnsServer> {
  const folder = mkdtempSync(join(tmpdir(), `copain-e2e-${kind}-`));
  const write = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  if (kind === 'knot') mkdirSync(join(folder, 'storage'));
  for (const [name, content] of Object.entries(files))
    write(kind === 'knot' ? `storage/${name}` : name, content);
  const command = await { knot, nsd, bind, powerdns }[kind]({ folder, port, text, write });
  let output = '';
  const start = (): ChildProcess => {
    const child = spawn(command[0] ?? '', command.slice(1), {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const endWithUs = (): boolean => child.kill('SIGKILL');
    process.once('exit', endWithUs);
    child.once('exit', () => process.off('exit', endWithUs));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
    }
    return child;
  };
  let child = start();
  return {
    kind,
    folder,
    address: { host: '127.0.0.1', port },
    log: () => output,
    signal: (signal) => void child.kill(signal),
    stop: async () => await ended(child),
    start: () => {
      child = start();
    },
    [Symbol.asyncDispose]: async () => {
      await ended(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

interface Instance {
  folder: string;
  port: number;
  text: string;
  write: (name: string, content: string) => string;
}

async function knot({ folder, port, text, write }: Instance): Promise<string[]> {
  const own = `server:
    listen: 127.0.0.1@${port}
    rundir: "${folder}"
database:
    storage: "${folder}/storage"
log:
  - target: stdout
    any: info
template:
  - id: default
    storage: "${folder}/storage"
`;
  // Zone files of an instance of its own lie in a folder of its own.
  const placed = text.replace('template:\n  - id: copain\n', `$&    storage: "${folder}/storage"\n`);
  return ['knotd', '-c', write('knot.conf', own + placed)];
}

async function nsd({ folder, port, text, write }: Instance): Promise<string[]> {
  const own = `server:
  ip-address: 127.0.0.1@${port}
  zonesdir: "${folder}"
  database: ""
  pidfile: "${folder}/nsd.pid"
  xfrdfile: "${folder}/xfrd.state"
  xfrdir: "${folder}"
  zonelistfile: "${folder}/zone.list"
  username: ""
  verbosity: 2
  rrl-ratelimit: 0
remote-control:
  control-enable: no
`;
  return ['nsd', '-d', '-c', write('nsd.conf', own + text)];
}

async function bind({ folder, port, text, write }: Instance): Promise<string[]> {
  const inOptions = text
    .split('\n')
    .flatMap((line) => /^\/\/ {3}(catalog-zones .*)$/.exec(line)?.[1] ?? [])
    .join('\n');
  const own = `options {
  directory "${folder}";
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file "${folder}/named.pid";
  session-keyfile "${folder}/session.key";
  recursion no;
  dnssec-validation no;
  ${inOptions}
};
controls { };
`;
  return ['named', '-g', '-c', write('named.conf', own + text)];
}

/** The database is made as its manual says; the commands of the text run with this instance's configuration. */
async function powerdns({ folder, port, text, write }: Instance): Promise<string[]> {
  await runWell(['sh', '-c', `sqlite3 ${folder}/pdns.db < ${sqliteSchema}`]);
  const own = `launch=gsqlite3
gsqlite3-database=${folder}/pdns.db
local-address=127.0.0.1
local-port=${port}
socket-dir=${folder}
loglevel=6
${text.match(/(?<=^# {3})\S+=\S+$/gm)?.join('\n')}
`;
  write('pdns.conf', own);
  // What is retrieved by hand in a running server is retrieved by this one when it starts.
  const script = `set -e
cd ${folder}
pdnsutil() { command pdnsutil --config-dir=${folder} "$@"; }
pdns_control() { :; }
sqlite3() { shift; command sqlite3 ${folder}/pdns.db "$@"; }
${text}`;
  await runWell(['sh', '-c', script]);
  return ['pdns_server', `--config-dir=${folder}`, '--daemon=no', '--guardian=no', '--disable-syslog'];
}
