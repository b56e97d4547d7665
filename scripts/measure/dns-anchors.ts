import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';

export const benchOrigin = 'bench.example';

/** A server under measurement. `pid` is that of the process whose CPU, with its children's, is counted. */
export interface DnsServerBeside {
  name: string;
  host: string;
  port: number;
  pid: number;
}

/** BIND listens on no other loopback address, so all do. */
const host = '127.0.0.1';

/** NSD, Knot, BIND with one worker each, and a bare UDP echo of this Node. */
export async function startAnchors(options: {
  folder: string;
  zoneFile: string;
  running: AsyncDisposableStack;
}): Promise<DnsServerBeside[]> {
  const { running } = options;
  const started: DnsServerBeside[] = [];
  for (const anchor of [nsd, knot, bind, nodeEcho]) {
    const port = await freePort();
    const folder = join(options.folder, anchor.name);
    mkdirSync(folder);
    const [program = '', ...args] = anchor({ folder, zoneFile: options.zoneFile, port });
    // What it starts itself is bound to the same processor.
    const child = spawn('taskset', ['-c', '0', program, ...args], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    running.defer(async () => await end(child, ended));
    started.push({ name: anchor === nodeEcho ? 'node-echo' : anchor.name, host, port, pid: child.pid ?? 0 });
  }
  return started;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

async function end(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended.catch(() => undefined);
  clearTimeout(timer);
}

interface AnchorOptions {
  folder: string;
  zoneFile: string;
  port: number;
}

function nsd({ folder, zoneFile, port }: AnchorOptions): string[] {
  const config = join(folder, 'nsd.conf');
  writeFileSync(
    config,
    `server:
  ip-address: ${host}@${port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  database: ""
  pidfile: "${folder}/pid"
  xfrdfile: "${folder}/xfrd"
  zonelistfile: "${folder}/zones"
  logfile: "${folder}/log"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: ${benchOrigin}
  zonefile: ${zoneFile}
`,
  );
  return ['nsd', '-d', '-c', config];
}

function knot({ folder, zoneFile, port }: AnchorOptions): string[] {
  const config = join(folder, 'knot.conf');
  writeFileSync(
    config,
    `server:
    rundir: "${folder}"
    listen: ${host}@${port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "${folder}"
log:
  - target: stderr
    any: error
zone:
  - domain: ${benchOrigin}
    file: "${zoneFile}"
    zonefile-sync: -1
`,
  );
  return ['knotd', '-c', config];
}

function bind({ folder, zoneFile, port }: AnchorOptions): string[] {
  const config = join(folder, 'named.conf');
  writeFileSync(
    config,
    `options { directory "${folder}"; listen-on port ${port} { ${host}; }; listen-on-v6 { none; }; recursion no;
  pid-file "${folder}/pid"; session-keyfile "${folder}/session.key"; dnssec-validation no; notify no; };
controls { };
zone "${benchOrigin}" { type primary; file "${zoneFile}"; };
`,
  );
  return ['named', '-f', '-n', '1', '-c', config];
}

/** What Node's UDP alone can do: each query goes back as it is, marked as a response. */
function nodeEcho({ folder, port }: AnchorOptions): string[] {
  const script = join(folder, 'echo.cjs');
  writeFileSync(
    script,
    `const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (query, from) => { query[2] |= 0x80; socket.send(query, from.port, from.address); });
socket.bind(${port}, '${host}');
`,
  );
  return [process.execPath, script];
}
