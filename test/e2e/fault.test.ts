import { expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial } from './lib/dig.ts';
import { eventually } from './lib/eventually.ts';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { join, openScene, seesUp } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['dig'] }, 'faults') !== undefined;
const plantedFaults = new URL('lib/planted-faults.ts', import.meta.url).href;

it.skipIf(skip)(
  'a box in which something unexpected is thrown starts again by itself, and says so',
  async () => {
    const block = await freshBlock();
    const make = (name: string, n: number): Box => scene.box({ name, host: block.of(n) });
    const [alice, bob] = [make('alice', 1), make('bob', 2)];
    for (const box of [alice, bob]) await box.init();
    await alice.up({ NODE_OPTIONS: `--import ${plantedFaults}` });
    await bob.up();
    await join(bob, alice);
    const file = alice.write('alice.example.zone', zoneText({ serial: 1, ns1: alice.host, ns2: bob.host }));
    await alice.well(['zone', 'add', 'alice.example', '--file', file]);
    await eventually('bob answers', async () => (await authoritativeSerial(bob.dns, 'alice.example')) === 1);

    const pid = alice.pid() ?? 0;
    for (const [inARow, kind] of [
      [1, 'exception'],
      [2, 'rejection'],
    ] as const) {
      process.kill(pid, 'SIGUSR2');
      await eventually(`alice started again after the ${kind}`, async () => {
        const { events } = JSON.parse((await alice.peer(['status', '--json'])).stdout || '{"events":[]}') as {
          events: { kind: string }[];
        };
        return events.filter((event) => event.kind === 'box.fault').length === inARow;
      });
      expect(alice.log()).toContain(`planted ${kind} ${inARow}`);
    }
    expect(alice.pid()).toBe(pid);
    const { verdict } = await alice.status();
    expect(verdict.todo.map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^A fault in the agent itself stopped this box .*2 times in a row/),
    );

    // What started again works as before: it answers, is a friend, and publishes.
    expect(await authoritativeSerial(alice.dns, 'alice.example')).toBe(1);
    await eventually('bob hears alice', () => seesUp(bob, ['alice']));
    alice.write('alice.example.zone', zoneText({ serial: 2, ns1: alice.host, ns2: bob.host }));
    await eventually(
      'bob has the change',
      async () => (await authoritativeSerial(bob.dns, 'alice.example')) === 2,
    );
    expect((await alice.stop()).code).toBe(0);
  },
);
