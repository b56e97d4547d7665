import { appendFileSync, chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial } from './lib/dig.ts';
import { eventually, steadily } from './lib/eventually.ts';
import { whyNot } from './lib/programs.ts';
import { startRecordingMta } from './lib/recording-mta.ts';
import { openScene, type Trio, threeFriends } from './lib/scene.ts';
import { startWebReceiver } from './lib/web-receiver.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['dig'] }, "claiming another owner's domain") !== undefined;

describe.skipIf(skip)('a friend who claims what is another owner’s', () => {
  let trio: Trio;
  const owners = async (box: Box): Promise<string[]> => {
    const { zones, mail } = await box.status();
    const named = [
      ...zones.map(({ origin, owner }) => `${origin} of ${owner}`),
      ...mail.map(({ domain, owner }) => `mail for ${domain} of ${owner}`),
    ];
    return named.sort();
  };

  beforeAll(async () => {
    trio = await threeFriends(scene);
    const { alice, bob, carol } = trio;
    const zone = alice.write('alice.zone', zoneText({ serial: 1, ns1: bob.host, ns2: carol.host }));
    await alice.well(['zone', 'add', 'alice.example', '--file', zone]);
    await alice.well(['mail', 'add', 'alice.example', '--deliver', '127.0.0.1:1']);
    // Bob and carol serve each other too, so that his claims are put to her as well as to alice.
    for (const [box, other] of [
      [bob, 'carol'],
      [carol, 'bob'],
    ] as const)
      await box.well(['friends', 'may', other, '+dns', '+mail']);
    await eventually('bob and carol have what is alice’s', async () => {
      const seen = await Promise.all([bob, carol].map(owners));
      return seen.every((list) => list.join() === 'alice.example of alice,mail for alice.example of alice');
    });
  });

  it('the name itself, one below, one above, or its mail, gets nothing of it from anybody; all are told, and it is counted', async () => {
    const { alice, bob, carol } = trio;
    const text = zoneText({ serial: 666, ns1: bob.host, ns2: bob.host });
    for (const origin of ['www.alice.example', 'example']) {
      const file = bob.write(`${origin}.zone`, text.replaceAll('alice.example', origin));
      await bob.well(['zone', 'add', origin, '--file', file]);
    }
    await bob.well(['mail', 'add', 'sub.alice.example', '--deliver', '127.0.0.1:1']);
    // What is his own goes on beside it.
    const own = bob.write('bob.zone', text.replaceAll('alice.example', 'bob.example'));
    await bob.well(['zone', 'add', 'bob.example', '--file', own]);
    for (const box of [alice, carol]) {
      await eventually(
        `${box.name} serves bob.example`,
        async () => (await authoritativeSerial(box.dns, 'bob.example')) === 666,
      );
      const told = await box.well(['events']);
      for (const name of ['www.alice.example', 'example', 'sub.alice.example'])
        expect(told).toContain(`bob claims ${name}, but alice.example is alice's: refused.`);
      const metrics = await (await fetch(`http://${box.http.host}:${box.http.port}/metrics`)).text();
      expect(metrics).toContain('copain_refused_total{step="meaning"} 3\n');
    }
    await steadily(async () => {
      const list = 'alice.example of alice,bob.example of bob,mail for alice.example of alice';
      expect((await owners(alice)).join()).toBe(list);
      expect((await owners(carol)).join()).toBe(list);
      expect(await authoritativeSerial(carol.dns, 'alice.example')).toBe(1);
      expect(await authoritativeSerial(carol.dns, 'www.alice.example')).not.toBe(666);
    }, 1500);
  });

  it('and alice, whose it is, hears of it by program, web and mail: once, in one message, also over a restart', async () => {
    const { alice, bob, address } = trio;
    interface Alert {
      kind: string;
      alerts: { about: string[]; state: string }[];
    }
    const told = join(alice.home, 'told.jsonl');
    const hook = alice.write('tell', `#!/bin/sh\ncat >> '${told}'\n`);
    chmodSync(hook, 0o700);
    const web = scene.use(await startWebReceiver(address(9)));
    const mta = scene.use(await startRecordingMta({ address: { host: address(9), port: 2526 } }));
    const ways = [
      `to = "exec:${hook}"`,
      `to = "${web.url}/alerts"`,
      `to = "mailto:alice@elsewhere.example"\nvia = "${address(9)}:2526"`,
    ];
    appendFileSync(join(alice.home, 'peer.toml'), ways.map((way) => `\n[[alert]]\n${way}\n`).join(''));
    await alice.well(['reload']);
    const programs = (): Alert[] =>
      (existsSync(told) ? readFileSync(told, 'utf8').trim().split('\n') : []).map(
        (line) => JSON.parse(line) as Alert,
      );
    const claims = (all: readonly Alert[]): string[][] =>
      all
        .filter(({ kind }) => kind === 'alert')
        .map(({ alerts }) => alerts.map(({ about }) => about[1] ?? '').sort());
    const three = ['example', 'sub.alice.example', 'www.alice.example'];

    expect(JSON.parse(await alice.well(['alerts', 'test', '--json']))).toMatchObject({
      schema: 'peer.alerts.test/1',
      ways: [{ ok: true }, { ok: true }, { ok: true, to: 'mailto:alice@elsewhere.example' }],
    });
    await eventually(
      'the three claims are told on all three ways',
      () => {
        expect(claims(programs())).toEqual([three]);
        expect(claims(web.received().map((body) => JSON.parse(body) as Alert))).toEqual([three]);
        expect(mta.messages.map(({ data }) => /Subject: (.*)\r/.exec(data.toString())?.[1])).toEqual([
          'alice: a test of alerts',
          expect.stringMatching(/^alice: bob claims .* \(and 2 more\)$/),
        ]);
        return true;
      },
      20_000,
    );
    // One way that fails is no way for the others to fail, nor to be told again.
    web.refuse(503);
    const failed = await alice.peer(['alerts', 'test']);
    expect([failed.code, failed.stdout]).toEqual([
      1,
      expect.stringContaining('did not take it: the server answers 503'),
    ]);
    await alice.kill();
    await alice.up();
    const file = bob.write(
      'a.zone',
      zoneText({ serial: 1, ns1: bob.host, ns2: bob.host }).replaceAll('alice.example', 'a.alice.example'),
    );
    await bob.well(['zone', 'add', 'a.alice.example', '--file', file]);
    await eventually(
      'the fourth claim is told alone',
      () => {
        expect(claims(programs())).toEqual([three, ['a.alice.example']]);
        return true;
      },
      20_000,
    );
    const list = await alice.json<{
      alerts: { state: string; told: boolean }[];
      ways: { to: string; failing: object | null }[];
    }>(['alerts']);
    expect(list.alerts.map(({ state, told: isTold }) => [state, isTold])).toEqual([
      ['on', true],
      ['on', true],
      ['on', true],
      ['on', false],
    ]);
    expect(list.ways.map(({ failing }) => failing === null)).toEqual([true, false, true]);
    expect((await alice.status()).events.map(({ kind }) => kind)).toContain('alert.failed');
    expect(await alice.well(['alerts', 'mute', '2h', '--about', 'bob'])).toContain('mute  since');
  });

  it('and who claimed first has it still after a restart', async () => {
    const { carol } = trio;
    await carol.kill();
    await carol.up();
    await eventually(
      'carol serves what she did before',
      async () =>
        (await owners(carol)).join() ===
        'alice.example of alice,bob.example of bob,mail for alice.example of alice',
    );
  });
});
