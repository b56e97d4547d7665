import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBox } from '../../test/e2e/lib/box.ts';
import { authoritativeSerial } from '../../test/e2e/lib/dig.ts';
import { eventually } from '../../test/e2e/lib/eventually.ts';
import { freshBlock } from '../../test/e2e/lib/loopback.ts';
import { whyNot } from '../../test/e2e/lib/programs.ts';
import { runWell } from '../../test/e2e/lib/run.ts';
import { benchOrigin, type DnsServerBeside, startAnchors } from './dns-anchors.ts';
import { measureManyZones, measureZonesOfOneOwner } from './dns-zones.ts';
import type { Figures } from './figures.ts';

/** The clock of /proc/PID/stat on Linux. */
const ticksPerSecond = 100;
const roundSeconds = 2;
const latencyQueriesPerSecond = 5000;

interface Load {
  perSecond: number;
  lost: number;
  cpuUsPerQuery: number;
}

/**
 * Answers a second of one core, CPU per answer and the median latency at 5,000 queries/s, of this agent beside NSD,
 * Knot, BIND and a bare UDP echo of the same Node, by dnsperf. Servers on one CPU, dnsperf on another, rounds
 * interleaved so that other load hits everybody alike; ratios are taken round by round.
 */
export async function measureDns(figures: Figures, options: { rounds: number }): Promise<void> {
  const lacking = whyNot({ programs: ['dnsperf', 'nsd', 'knotd', 'named', 'taskset', 'dig'] }, 'DNS figures');
  if (lacking !== undefined) throw new Error(lacking);
  await using running = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'copain-bench-'));
  running.defer(() => rmSync(folder, { recursive: true, force: true }));
  const queries = writeQueries(folder);
  const zoneFile = writeBenchZone(folder);
  const block = await freshBlock();
  const anchors = await startAnchors({ folder, zoneFile, running });
  const box = running.use(createBox({ name: 'alice', host: block.of(2) }));
  await box.init();
  await box.up();
  await box.well(['zone', 'add', benchOrigin, '--file', zoneFile]);
  const servers = [{ name: 'copain', ...box.dns, pid: box.pid() ?? 0 }, ...anchors];
  await runWell(['taskset', '-apc', '0', String(box.pid())]);
  for (const { name, host, port } of servers) {
    if (name === 'node-echo') continue;
    await eventually(
      `${name} answers`,
      async () => (await authoritativeSerial({ host, port }, benchOrigin)) !== undefined,
    );
  }
  const loads = await interleaved(servers, options.rounds, (server) => load(server, queries));
  const rate = (name: string): number[] => (loads.get(name) ?? []).map(({ perSecond }) => perSecond);
  for (const { name } of servers) {
    figures.record(`dns, one core: answers of ${name}`, '/s', rate(name));
    figures.record(
      `dns, CPU of one answer of ${name}`,
      'us',
      (loads.get(name) ?? []).map((one) => one.cpuUsPerQuery),
    );
  }
  figures.record(
    'dns: queries of ours that were lost',
    '',
    (loads.get('copain') ?? []).map(({ lost }) => lost),
  );
  for (const name of ['nsd', 'knot', 'bind', 'node-echo']) {
    figures.record(`dns: answers a second, copain to ${name}`, 'x', quotients(rate('copain'), rate(name)));
  }
  const medians = await interleaved(servers, options.rounds, (server) => medianLatencyUs(server, queries));
  for (const { name } of servers) {
    figures.record(`dns: p50 of ${name} at ${latencyQueriesPerSecond}/s`, 'us', medians.get(name) ?? []);
  }
  const ours = medians.get('copain') ?? [];
  figures.record('dns: p50, copain to nsd', 'x', quotients(ours, medians.get('nsd') ?? []));
  await measureManyZones(figures, { zones: 1000, hostOf: (n) => block.of(n + 2) });
  await measureZonesOfOneOwner(figures, { zones: 1000, friends: 3, hostOf: (n) => block.of(n + 10) });
}

function quotients(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((value, round) => value / (theirs[round] ?? Number.NaN));
}

async function interleaved<T>(
  servers: readonly DnsServerBeside[],
  rounds: number,
  measure: (server: DnsServerBeside) => Promise<T>,
): Promise<Map<string, T[]>> {
  const found = new Map<string, T[]>(servers.map(({ name }) => [name, []]));
  for (const server of servers) await measure(server);
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) found.get(server.name)?.push(await measure(server));
  }
  return found;
}

async function dnsperf(
  { host, port }: DnsServerBeside,
  queries: string,
  more: readonly string[],
): Promise<string> {
  const server = ['-s', host, '-p', String(port), '-d', queries, '-l', String(roundSeconds)];
  return await runWell(['taskset', '-c', '1', 'dnsperf', ...server, ...more], { limitMs: 60_000 });
}

async function load(server: DnsServerBeside, queries: string): Promise<Load> {
  const before = cpuTicks(server.pid);
  const out = await dnsperf(server, queries, ['-c', '16', '-q', '200']);
  const ticks = cpuTicks(server.pid) - before;
  const number = (pattern: RegExp): number => Number(pattern.exec(out)?.[1] ?? Number.NaN);
  const completed = number(/Queries completed:\s+(\d+)/);
  return {
    perSecond: number(/Queries per second:\s+([\d.]+)/),
    lost: number(/Queries lost:\s+(\d+)/),
    cpuUsPerQuery: (ticks * 1e6) / ticksPerSecond / completed,
  };
}

/** dnsperf tells the latency of each query when it is verbose. */
async function medianLatencyUs(server: DnsServerBeside, queries: string): Promise<number> {
  const out = await dnsperf(server, queries, ['-c', '4', '-Q', String(latencyQueriesPerSecond), '-v']);
  const latencies = [...out.matchAll(/^> .* ([\d.]+)$/gm)].map(([, seconds]) => 1e6 * Number(seconds));
  latencies.sort((a, b) => a - b);
  return latencies[latencies.length >> 1] ?? Number.NaN;
}

/** User and system time of a process and all that it started, of those that live. */
function cpuTicks(pid: number): number {
  const processes = new Map<number, { parent: number; ticks: number }>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      const [, parent = 0] = fields;
      processes.set(Number(entry), { parent, ticks: (fields[11] ?? 0) + (fields[12] ?? 0) });
    } catch {
      // It ended between the listing and the look at it.
    }
  }
  const isOfFamily = (one: number): boolean =>
    one === pid || (one > 1 && isOfFamily(processes.get(one)?.parent ?? 0));
  let ticks = 0;
  for (const [one, process] of processes) if (isOfFamily(one)) ticks += process.ticks;
  return ticks;
}

/** 1,000 hosts, every second with an IPv6 address. */
function writeBenchZone(folder: string): string {
  const hosts = Array.from({ length: 1000 }, (_, i) => [
    `h${i} A 198.51.100.${(i % 254) + 1}`,
    ...(i % 2 === 0 ? [`h${i} AAAA 2001:db8::${i.toString(16)}`] : []),
  ]).flat();
  const apex = [
    '$TTL 3600',
    '@ SOA ns1 hostmaster 2026112601 14400 3600 604800 300',
    ...['ns1', 'ns2', 'ns3'].flatMap((name, i) => [`@ NS ${name}`, `${name} A 192.0.2.${i + 1}`]),
    '@ MX 10 mail',
    'mail A 192.0.2.10',
    '@ TXT "v=spf1 mx -all"',
  ];
  const path = join(folder, 'bench.zone');
  writeFileSync(path, `${[...apex, ...hosts].join('\n')}\n`);
  return path;
}

/** 1,700 questions in an order that is the same each time: mostly addresses, some that have no answer. */
function writeQueries(folder: string): string {
  let state = 1;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >> 8) % limit;
  };
  const lines = Array.from({ length: 1700 }, (_, i) => {
    const kind = (i * 7) % 17;
    if (kind < 10) return `h${below(1000)}.${benchOrigin} A`;
    if (kind < 15) return `h${2 * below(500)}.${benchOrigin} AAAA`;
    if (kind === 15) return `nx${below(1000)}.${benchOrigin} A`;
    return below(2) === 0
      ? `h${below(1000)}.${benchOrigin} TXT`
      : `${benchOrigin} ${['MX', 'NS', 'SOA', 'TXT'][below(4)]}`;
  });
  const path = join(folder, 'queries.txt');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}
