import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Address, Box } from './lib/box.ts';
import { authoritativeSerial } from './lib/dig.ts';
import { eventually } from './lib/eventually.ts';
import { freshBlock } from './lib/loopback.ts';
import { type Network, startNetwork } from './lib/network.ts';
import { whyNot } from './lib/programs.ts';
import { run, runWell, within } from './lib/run.ts';
import { allTogether, join, openScene } from './lib/scene.ts';
import { signingFolder } from './lib/signed-zone.ts';

const scene = openScene();

/** With timers that Zonemaster is content with. */
function text(more: readonly string[] = [], hosts: readonly string[] = ['192.0.2.1', '192.0.2.2']): string {
  return [
    '$TTL 14400',
    '@ SOA ns1 hostmaster 2026112601 14400 3600 1209600 3600',
    '@ NS ns1',
    '@ NS ns2',
    '@ MX 10 ns1',
    ...hosts.map((host, i) => `ns${i + 1} A ${host}`),
    'www A 192.0.2.80',
    ...more,
    '',
  ].join('\n');
}

const origin = 'secure.example';
const tools = ['dig', 'kdig', 'delv', 'dnssec-keygen', 'dnssec-signzone'];

describe.skipIf(whyNot({ programs: tools }, 'DNS answers'))('the tools of other people', () => {
  let alice: Box;
  let anchors: string;
  const at = (): string[] => [`@${alice.host}`, '-p', String(alice.dns.port)];
  const dig = async (...question: string[]): Promise<string> =>
    await runWell(['dig', '-r', ...at(), '+norec', '+time=2', '+tries=1', ...question]);

  beforeAll(async () => {
    const block = await freshBlock();
    alice = scene.box({ name: 'alice', host: block.of(1) });
    await alice.init();
    const own = '[dns]\nworkers = 2\nnsid = "alice-1"\nhostname = "alice.example"\nversion = "copain"\n';
    alice.write('peer.toml', alice.read('peer.toml').replace('[dns]\n', own));
    await alice.up();
    const signing = await signingFolder(joinPath(alice.home, 'signing'), origin);
    anchors = signing.anchors;
    const more = [
      '*.wild A 192.0.2.7',
      'alias CNAME www',
      `big TXT "${'x'.repeat(250)}" "${'y'.repeat(250)}"`,
    ];
    await alice.well(['zone', 'add', origin, '--file', await signing.sign(text(more))]);
    await eventually(
      'the zone is answered',
      async () => (await authoritativeSerial(alice.dns, origin)) !== undefined,
    );
  });

  it('dig gets a cookie, sends it back, and finds it good', async () => {
    const first = await dig('+cookie=0102030405060708', origin, 'SOA');
    const [, cookie = ''] = /; COOKIE: ([0-9a-f]{48}) \(good\)/.exec(first) ?? [];
    expect(cookie).not.toBe('');
    expect(await dig(`+cookie=${cookie}`, origin, 'SOA')).toContain(`; COOKIE: ${cookie} (good)`);
  });

  it('dig reads who answers: NSID, CHAOS names, the time a zone has left', async () => {
    expect(await dig('+nsid', origin, 'SOA')).toContain('("alice-1")');
    expect(await dig('CH', 'TXT', 'id.server', '+short')).toBe('"alice.example"\n');
    expect(await dig('CH', 'TXT', 'version.bind', '+short')).toBe('"copain"\n');
    expect(await dig('+expire', origin, 'SOA')).toMatch(/; EXPIRE: 1209600/);
  });

  it('dig is told what it does wrong: an EDNS version to come, options unknown, another opcode', async () => {
    expect(await dig('+edns=1', '+noednsnegotiation', origin, 'SOA')).toContain('status: BADVERS');
    expect(await dig('+ednsopt=65001:c0ffee', origin, 'SOA')).toContain('status: NOERROR');
    expect(await dig('+opcode=6', origin, 'SOA')).toContain('status: NOTIMP');
    const refused = await dig('www.elsewhere.example', 'A');
    expect(refused).toContain('status: REFUSED');
    expect(refused).toContain('EDE: 20 (Not Authoritative)');
  });

  it('dig comes by TCP for what does not fit, and asks several things over one connection', async () => {
    const small = ['+bufsize=512', `big.${origin}`, 'TXT'];
    expect(await dig('+ignore', ...small)).toMatch(/flags: qr aa tc;/);
    expect(await dig(...small)).toContain(';; Truncated, retrying in TCP mode.');
    const several = ['www', 'ns1', 'ns2'].flatMap((name) => [`${name}.${origin}`, 'A', '+short']);
    expect(await dig('+tcp', '+keepopen', ...several)).toBe('192.0.2.80\n192.0.2.1\n192.0.2.2\n');
    expect(await dig('+tcp', '+keepalive', origin, 'SOA')).toContain('; TCP KEEPALIVE: 10.0 secs');
  });

  it('kdig sees signatures and proofs with DO, and none without', async () => {
    const kdig = async (...question: string[]): Promise<string> =>
      await runWell(['kdig', ...at(), ...question]);
    expect(await kdig('+dnssec', `www.${origin}`, 'A')).toContain('RRSIG');
    expect(await kdig('+dnssec', `nothing.${origin}`, 'A')).toContain('NSEC3');
    const plain = await kdig('+edns', `nothing.${origin}`, 'A');
    expect(plain).toContain('NXDOMAIN');
    expect(plain).not.toContain('NSEC3');
  });

  it('delv validates answers of every kind against the trust anchor', async () => {
    const delv = async (name: string, type: string): Promise<string> => {
      const { stdout, stderr } = await run(['delv', ...at(), '-a', anchors, `+root=${origin}`, name, type]);
      return stdout + stderr;
    };
    for (const [name, type] of [
      [origin, 'SOA'],
      [`www.${origin}`, 'A'],
      [`alias.${origin}`, 'A'],
      [`anything.wild.${origin}`, 'A'],
    ] as const) {
      expect(await delv(name, type), `${name} ${type}`).toContain('; fully validated');
    }
    for (const [name, type] of [
      [`nothing.${origin}`, 'A'],
      [`www.${origin}`, 'TXT'],
      [`anything.wild.${origin}`, 'TXT'],
    ] as const) {
      expect(await delv(name, type), `${name} ${type}`).toContain('; negative response, fully validated');
    }
  });
});

/** A root of our own, which knows one delegation. */
async function startRoot(options: {
  folder: string;
  namespace: string;
  host: string;
  delegation: readonly string[];
}): Promise<AsyncDisposable> {
  const { folder, namespace, host, delegation } = options;
  mkdirSync(folder);
  const zone = [
    '$TTL 86400',
    '. SOA a.root. h.root. 1 14400 3600 1209600 3600',
    '. NS a.root.',
    `a.root. A ${host}`,
  ];
  writeFileSync(joinPath(folder, 'root.zone'), `${[...zone, ...delegation].join('\n')}\n`);
  const files = ['pidfile', 'xfrdfile', 'zonelistfile', 'logfile'].map(
    (key) => `  ${key}: "${folder}/${key}"`,
  );
  const server = [
    'server:',
    `  ip-address: ${host}`,
    '  username: ""',
    '  chroot: ""',
    '  database: ""',
    ...files,
  ];
  const rest = ['  rrl-ratelimit: 0', 'remote-control:', '  control-enable: no', 'zone:', '  name: .'];
  const config = joinPath(folder, 'nsd.conf');
  writeFileSync(config, `${[...server, ...rest, `  zonefile: ${folder}/root.zone`].join('\n')}\n`);
  const [program, args] = within(namespace, ['nsd', '-d', '-c', config]);
  const child = spawn(program, args, { stdio: 'ignore' });
  return {
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

const programs = ['ip', 'bridge', 'dig', 'nsd', 'zonemaster-cli', 'dnsperf'];

describe.skipIf(whyNot({ programs, root: true }, 'Zonemaster'))('a zone served by two agents', () => {
  const zone = 'alice.example';
  let network: Network;
  let alice: Box;
  let bob: Box;
  const outside = (): string => network.namespace('root');

  beforeAll(async () => {
    network = scene.use(await startNetwork(['alice', 'bob', 'root'], { prefix: '145.83.0' }));
    const boxes = ['alice', 'bob'].map((name) =>
      scene.box({ name, host: network.host(name), namespace: network.namespace(name) }),
    );
    [alice, bob] = boxes as [Box, Box];
    for (const box of boxes) {
      await box.init();
      const announced = `[mesh]\nannounce = ["${box.host}:${box.mesh.port}"]\n`;
      box.write('peer.toml', box.read('peer.toml').replace('[mesh]\n', announced));
      await box.up();
    }
    await join(bob, alice);
    await allTogether(boxes);
    const file = alice.write('zone', text([], [alice.host, bob.host]));
    await alice.well(['zone', 'add', zone, '--file', file]);
    for (const { dns } of boxes) await served(dns, zone);
  });

  async function served(server: Address, name: string): Promise<void> {
    const serves = async (): Promise<boolean> =>
      (await authoritativeSerial(server, name, { namespace: outside() })) !== undefined;
    await eventually(`${server.host} serves ${name}`, serves);
  }

  it('is without an error for Zonemaster, which looks from the root down', async () => {
    const root: Address = { host: network.host('root'), port: 53 };
    const delegation = [alice, bob].flatMap(({ host }, i) => [
      `${zone}. NS ns${i + 1}.${zone}.`,
      `ns${i + 1}.${zone}. A ${host}`,
    ]);
    const folder = joinPath(alice.home, 'root');
    scene.use(await startRoot({ folder, namespace: outside(), host: root.host, delegation }));
    await served(root, '.');
    const hints = alice.write('hints', `. NS a.root.\na.root. A ${root.host}\n`);
    const options = [
      '--no-ipv6',
      '--hints',
      hints,
      '--level',
      'NOTICE',
      '--show-testcase',
      '--no-time',
      '--raw',
    ];
    const judged = await run(['zonemaster-cli', ...options, zone], {
      namespace: outside(),
      limitMs: 100_000,
    });
    const said = judged.stdout + judged.stderr;
    expect(judged.code, said).toBe(0);
    expect(said).not.toMatch(/ERROR|CRITICAL/);
    // There is no reverse zone here; nothing else is warned of.
    expect(
      said.split('\n').filter((line) => line.includes('WARNING') && !line.includes('ADDRESS02')),
    ).toEqual([]);
    expect(said).toContain(`NOT_SIGNED   zone=${zone}`);
  });

  it('sends a source of 8,000 queries a second no more octets than came from there', async () => {
    const queries = alice.write('queries', `${zone} NS\nwww.${zone} A\nnothing.${zone} A\n${zone} MX\n`);
    const rate = ['-e', '-Q', '8000', '-q', '60000', '-c', '1', '-l', '3', '-t', '1'];
    const flood = ['dnsperf', '-s', bob.host, '-d', queries, ...rate];
    const told = await runWell(flood, { namespace: outside(), limitMs: 60_000 });
    const number = (pattern: RegExp): number => Number(pattern.exec(told)?.[1] ?? Number.NaN);
    const sent = number(/Queries sent:\s+(\d+)/) * number(/request (\d+)/);
    const received = number(/Queries completed:\s+(\d+)/) * number(/response (\d+)/);
    expect(number(/Queries sent:\s+(\d+)/), told).toBeGreaterThan(8000);
    expect(received / sent, told).toBeLessThan(1);
    expect(number(/Queries lost:\s+(\d+)/), told).toBeGreaterThan(2000);
  });
});
