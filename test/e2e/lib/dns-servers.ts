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
  signal(signal: NodeJS.Signals): void;
  /** Ends it as its init system does (SIGTERM); its folder stays. */
  stop(): Promise<void>;
  /** Starts it again with the same configuration and what it kept. */
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

/** A port of this address that is free at this moment. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export interface DnsServerSetup {
  port: number;
  /** 127.0.0.1 unless given; `::1` is the other one. */
  host?: string;
  /** What `peer zone serve-with` printed, of one box or of several. */
  text: string;
  /** Files that are there before it starts, where it looks for zone files. */
  files?: Record<string, string>;
  /** A zone that this server has of its own, as primary: its name and master file. */
  own?: { origin: string; text: string };
}

/**
 * Starts a server whose configuration is what an instance of its own needs (folders, address) and, as it is, the text
 * that `peer zone serve-with` printed.
 */
export async function startDnsServer(kind: DnsServerKind, setup: DnsServerSetup): Promise<DnsServer> {
  const { port, host = '127.0.0.1', text } = setup;
  const folder = mkdtempSync(join(tmpdir(), `copain-e2e-${kind}-`));
  const write = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  if (kind === 'knot') mkdirSync(join(folder, 'storage'));
  for (const [name, content] of Object.entries(setup.files ?? {}))
    write(kind === 'knot' ? `storage/${name}` : name, content);
  const own = setup.own && { origin: setup.own.origin, file: write('own.zone', setup.own.text) };
  const command = await { knot, nsd, bind, powerdns }[kind]({ folder, host, port, text, own, write });
  let output = '';
  let child: ChildProcess | undefined;
  const start = (): void => {
    const started = spawn(command[0] ?? '', command.slice(1), {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    const endWithUs = (): boolean => started.kill('SIGKILL');
    process.once('exit', endWithUs);
    started.once('exit', () => process.off('exit', endWithUs));
    for (const stream of [started.stdout, started.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
    }
  };
  start();
  return {
    kind,
    address: { host, port },
    folder,
    log: () => output,
    signal: (signal) => void child?.kill(signal),
    start,
    stop: async () => {
      if (child) await ended(child, 'SIGTERM');
    },
    [Symbol.asyncDispose]: async () => {
      if (child) await ended(child, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

interface Instance {
  folder: string;
  host: string;
  port: number;
  text: string;
  own: { origin: string; file: string } | undefined;
  write: (name: string, content: string) => string;
}

async function knot({ folder, host, port, text, own, write }: Instance): Promise<string[]> {
  const instance = `server:
    listen: ${host}@${port}
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
  const placed = text.replaceAll(/template:\n {2}- id: copain-.*\n/g, `$&    storage: "${folder}/storage"\n`);
  const fixed = own ? `zone:\n  - domain: "${own.origin}"\n    file: "${own.file}"\n` : '';
  return ['knotd', '-c', write('knot.conf', instance + fixed + placed)];
}

async function nsd({ folder, host, port, text, own, write }: Instance): Promise<string[]> {
  const instance = `server:
  ip-address: ${host}@${port}
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
  const fixed = own ? `zone:\n  name: "${own.origin}"\n  zonefile: "${own.file}"\n` : '';
  return ['nsd', '-d', '-c', write('nsd.conf', instance + fixed + text)];
}

async function bind({ folder, host, port, text, own, write }: Instance): Promise<string[]> {
  // What several boxes printed belongs into one statement.
  const catalogs = [...text.matchAll(/^\/\/ {3}catalog-zones { (.*) };$/gm)].map(([, zone]) => zone);
  const listen = host.includes(':')
    ? `listen-on { none; };\n  listen-on-v6 port ${port} { ${host}; };`
    : `listen-on port ${port} { ${host}; };\n  listen-on-v6 { none; };`;
  const instance = `options {
  directory "${folder}";
  ${listen}
  pid-file "${folder}/named.pid";
  session-keyfile "${folder}/session.key";
  recursion no;
  dnssec-validation no;
  ${catalogs.length > 0 ? `catalog-zones { ${catalogs.join(' ')} };` : ''}
};
controls { };
`;
  const fixed = own ? `zone "${own.origin}" { type primary; file "${own.file}"; };\n` : '';
  return ['named', '-g', '-c', write('named.conf', instance + fixed + text)];
}

/** The database is made as its manual says; the commands of the text run with this instance's configuration. */
async function powerdns({ folder, host, port, text, own, write }: Instance): Promise<string[]> {
  await runWell(['sh', '-c', `sqlite3 ${folder}/pdns.db < ${sqliteSchema}`]);
  const settings = new Set(text.match(/(?<=^# {3})\S+=\S+$/gm));
  const instance = `launch=gsqlite3
gsqlite3-database=${folder}/pdns.db
local-address=${host}
local-port=${port}
socket-dir=${folder}
loglevel=6
${[...settings].join('\n')}
`;
  write('pdns.conf', instance);
  // What is retrieved by hand in a running server is retrieved by this one when it starts.
  const script = `set -e
cd ${folder}
pdnsutil() { command pdnsutil --config-dir=${folder} "$@"; }
pdns_control() { :; }
sqlite3() { shift; command sqlite3 ${folder}/pdns.db "$@"; }
${own ? `pdnsutil load-zone ${own.origin} ${own.file}` : ''}
${text}`;
  await runWell(['sh', '-c', script]);
  return ['pdns_server', `--config-dir=${folder}`, '--daemon=no', '--guardian=no', '--disable-syslog'];
}
