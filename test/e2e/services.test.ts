import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Box } from './lib/box.ts';
import { eventually, steadily } from './lib/eventually.ts';
import { type Network, startNetwork } from './lib/network.ts';
import { type Postfix, startPostfix } from './lib/postfix.ts';
import { whyNot } from './lib/programs.ts';
import { oneCircle, openScene } from './lib/scene.ts';
import type { StatusJson } from './lib/status-json.ts';

const scene = openScene();
const skip =
  whyNot({ programs: ['postfix', 'ip', 'bridge', 'nft'], root: true }, 'services seen by friends') !==
  undefined;
const origin = 'alice.example';
let network: Network;
let alice: Box;
let bob: Box;
let carol: Box;
let server: Postfix;

const program = (home: string): readonly string[] => [
  'node',
  '--conditions=@copain/source',
  new URL('./lib/quick-agent.ts', import.meta.url).pathname,
  home,
];

/** What a box shows of a service of alice's. */
async function shown(
  box: Box,
  service: string,
  target: string,
): Promise<StatusJson['services'][number] | undefined> {
  return (await box.status()).services.find((one) => one.service === service && one.target === target);
}

const mail = `mail.${origin}:25`;
const nameServer = (name: string): string => `${origin} at ${name}.${origin}`;

/** Waits until each of these boxes shows the service so. */
async function agree(
  boxes: readonly Box[],
  [service, target]: readonly [string, string],
  wanted: Partial<StatusJson['services'][number]>,
): Promise<void> {
  for (const box of boxes) {
    await eventually(
      `${box.name} shows ${service} ${target} ${JSON.stringify(wanted)}`,
      async () => {
        const one = await shown(box, service, target);
        return (
          one !== undefined &&
          Object.entries(wanted).every(([key, value]) => one[key as keyof typeof one] === value)
        );
      },
      30_000,
    );
  }
}

describe.skipIf(skip)('services as friends see them, on ports 25 and 53, tried every second or two', () => {
  beforeAll(async () => {
    network = scene.use(await startNetwork(['alice', 'bob', 'carol']));
    const box = (name: string, ports = {}): Box =>
      scene.box({ name, host: network.host(name), namespace: network.namespace(name), ports, program });
    [alice, bob, carol] = [box('alice', { smtp: 2525 }), box('bob'), box('carol')];
    await oneCircle([alice, bob, carol], async (one) => {
      if (one === alice) return;
      const config = one.read('peer.toml').replace('[smtp]', `[smtp]\nhostname = "mx.${one.name}.${origin}"`);
      one.write('peer.toml', config);
    });
    server = scene.use(
      await startPostfix({
        name: 'owner',
        hostname: `mail.${origin}`,
        address: { host: alice.host, port: 25 },
        namespace: alice.namespace,
        owner: { domain: origin, users: ['anna'] },
      }),
    );
    const zone = [
      '$TTL 300',
      '@ SOA bob hostmaster 1 3600 600 3600000 300',
      '@ NS bob',
      '@ NS carol',
      '@ MX 10 mail',
      '@ MX 20 mx.bob',
      '@ MX 20 mx.carol',
      `mail A ${alice.host}`,
      ...[bob, carol].flatMap(({ name, host }) => [`${name} A ${host}`, `mx.${name} A ${host}`]),
      '',
    ];
    const file = alice.write('alice.zone', zone.join('\n'));
    await alice.well(['zone', 'add', origin, '--file', file]);
    await alice.well(['mail', 'add', origin, '--deliver', `${alice.host}:25`]);
  });

  const smtpHistory = async () => {
    const { services } = await alice.json<{
      services: { service: string; history: { up24h: number } | null }[];
    }>(['status']);
    return services.find(({ service }) => service === 'smtp')?.history;
  };

  it('are up once friends reached them: mail server, backup MX, and name servers over UDP and TCP', async () => {
    await agree([alice, bob, carol], ['smtp', mail], { state: 'up', inside: 'up', fault: 'none' });
    await agree([alice, bob, carol], ['backup-mx', `mx.bob.${origin}:25`], { state: 'up' });
    await agree([alice, bob, carol], ['dns', nameServer('carol')], { state: 'up' });
    // The first friend who reaches it makes it up; the other one follows.
    await eventually(
      'both friends reach it',
      async () => (await shown(alice, 'smtp', mail))?.upBy.length === 2,
      30_000,
    );
    // Nobody sees himself from outside.
    expect((await shown(alice, 'smtp', mail))?.upBy.toSorted()).toEqual(['bob', 'carol']);
    expect((await shown(bob, 'dns', nameServer('bob')))?.upBy).not.toContain('bob');
    // What is remembered is looked at every 10 s: from the second look on it has lasted a while.
    await eventually('alice remembers it up', async () => ((await smtpHistory())?.up24h ?? 0) > 0, 40_000);
  });

  it('a port that is blocked on the way: down by two, up on its own box, and the box stays up; nobody takes over', async () => {
    await network.block('alice', 25);
    onTestFinished(() => network.unblock('alice'));
    await agree([alice, bob, carol], ['smtp', mail], {
      state: 'down',
      confirmed: true,
      inside: 'up',
      fault: 'way',
    });
    await steadily(async () => {
      for (const [box, name] of [
        [bob, 'alice'],
        [alice, 'bob'],
      ] as const) {
        const status = await box.status();
        expect(status.friends.find((one) => one.name === name)).toMatchObject({ state: 'up' });
        expect(status.takeovers).toEqual([]);
      }
    }, 1000);
    // What was agreed is told within seconds.
    await eventually('alice is told', async () =>
      (await alice.status()).events.some(({ kind }) => kind === 'service.down'),
    );
    const status = await alice.status();
    expect(status.verdict.level).toBe('attention');
    expect(status.verdict.todo.map(({ text }) => text).join('\n')).toContain('the port is blocked');
    expect(status.events.map(({ kind }) => kind)).toContain('service.down');
    const doctor = await alice.peer(['doctor', 'net']);
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toMatch(/bob and carol do not reach it.*On its own box it answers/);
    expect(await alice.well(['status'])).toMatch(/smtp +alice +mail\.alice\.example:25 +.*down/);
    await network.unblock('alice');
    await agree([alice, bob, carol], ['smtp', mail], { state: 'up', fault: 'none' });
  });

  it('a mail server that is stopped: down from outside and on its own box', async () => {
    await server.stop();
    await agree([alice, bob, carol], ['smtp', mail], {
      state: 'down',
      confirmed: true,
      inside: 'down',
      fault: 'service',
    });
    expect((await shown(bob, 'smtp', mail))?.text).toMatch(/On its own box it does not answer either/);
    await eventually('alice remembers it down', async () => ((await smtpHistory())?.up24h ?? 1) < 1, 40_000);
    await server.start();
    await agree([alice, bob, carol], ['smtp', mail], { state: 'up', inside: 'up' });
  });

  it('a name server that nobody reaches is down for the zone’s owner and the other server', async () => {
    await network.block('carol', 53);
    onTestFinished(() => network.unblock('carol'));
    // TCP alone is blocked: it is asked in one round of five while all is well.
    await agree([alice, bob], ['dns', nameServer('carol')], { state: 'down', confirmed: true });
    expect((await shown(alice, 'dns', nameServer('carol')))?.text).toMatch(/no answer over TCP/);
    expect((await shown(alice, 'dns', nameServer('bob')))?.state).toBe('up');
    await network.unblock('carol');
    await agree([alice], ['dns', nameServer('carol')], { state: 'up' });
  });

  it('what was is remembered, over a restart too', async () => {
    const before = await alice.well(['status', 'bob']);
    expect(before).toMatch(/was up +24 h (100|9\d(\.\d)?) %/);
    await alice.stop();
    await alice.up();
    // A box that had forgotten would say nothing, or 1 since it is up now.
    const smtp = await smtpHistory();
    expect(smtp?.up24h).toBeGreaterThan(0);
    expect(smtp?.up24h).toBeLessThan(1);
  });
});
