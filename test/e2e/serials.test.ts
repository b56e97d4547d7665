import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial, dig } from './lib/dig.ts';
import { eventually, steadily } from './lib/eventually.ts';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, join, openScene } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['dig'] }, 'serials') !== undefined;
const origin = 'alice.example';
const signedOrigin = 'signed.example';
const key =
  '@ IN DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==';
let alice: Box;
let bob: Box;

const write = (serial: number, www: string, more: string[] = []): string =>
  alice.write('alice.zone', zoneText({ serial, ns1: alice.host, ns2: bob.host, www, more }));
const writeSigned = (serial: number, www: string): string =>
  alice.write('signed.zone', zoneText({ serial, ns1: alice.host, ns2: bob.host, www, more: [key] }));

/** Waits until both answer with this serial and this address, with authority. */
async function bothAnswer(serial: number, www: string, zone = origin): Promise<void> {
  for (const box of [bob, alice])
    await eventually(`${box.name} answers ${serial} and ${www}`, async () => {
      const { answers } = await dig(box.dns, `www.${zone}`, 'A');
      return (
        (await authoritativeSerial(box.dns, zone)) === serial && (answers[0]?.endsWith(` ${www}`) ?? false)
      );
    });
}

const zoneOf = async (name: string) => {
  const { zone } = await alice.json<{
    zone: {
      serial: number;
      fileSerial: number | null;
      problems: { severity: string; text: string; line: number }[];
    };
  }>(['zone', 'show', name]);
  return zone;
};
const events = async (): Promise<string[]> => (await alice.status()).events.map(({ text }) => text);

describe.skipIf(skip)('the serial of a zone', () => {
  beforeAll(async () => {
    const block = await freshBlock();
    alice = scene.box({ name: 'alice', host: block.of(1) });
    bob = scene.box({ name: 'bob', host: block.of(2) });
    for (const box of [alice, bob]) {
      await box.init();
      await box.up();
    }
    await join(bob, alice);
    await allTogether([alice, bob]);
    await alice.well(['zone', 'add', origin, '--file', write(2026112205, '192.0.2.1')]);
    await alice.well(['zone', 'add', signedOrigin, '--file', writeSigned(10, '192.0.2.1')]);
    await bothAnswer(2026112205, '192.0.2.1');
    await bothAnswer(10, '192.0.2.1', signedOrigin);
  });

  it('is raised where the content changed without it, and that is said', async () => {
    write(2026112205, '192.0.2.2');
    await bothAnswer(2026112206, '192.0.2.2');
    expect(await zoneOf(origin)).toMatchObject({ serial: 2026112206, fileSerial: 2026112205 });
    expect((await events()).filter((text) => text.includes('serving 2026112206'))).toHaveLength(1);
    expect((await alice.status()).verdict.todo.map(({ text }) => text).join()).not.toContain('set back');
  });

  it('counts on from what was published where the owner set it back, and that is shown until he mends it', async () => {
    const file = write(7, '192.0.2.3');
    await bothAnswer(2026112207, '192.0.2.3');
    expect(await zoneOf(origin)).toMatchObject({ serial: 2026112207, fileSerial: 7 });
    expect(await alice.well(['zone', 'show', origin])).toContain('the file says serial 7');
    const { verdict } = await alice.status();
    expect(verdict.todo.map(({ text }) => text).join()).toContain(`The SOA serial 7 in ${file} was set back`);
    expect((await events()).find((text) => text.includes('serial 7 '))).toContain(
      'write 2026112208 or higher',
    );
    write(2026112300, '192.0.2.3');
    await bothAnswer(2026112300, '192.0.2.3');
    expect((await alice.status()).verdict.todo.map(({ text }) => text).join()).not.toContain('set back');
    expect(await alice.well(['zone', 'show', origin])).not.toContain('the file says');
  });

  it('stays where it alone was set back', async () => {
    write(2026112299, '192.0.2.3');
    await eventually('it is said', async () => (await zoneOf(origin)).fileSerial === 2026112299);
    await steadily(async () => expect(await authoritativeSerial(bob.dns, origin)).toBe(2026112300), 500);
    expect((await events()).join('\n')).toContain('serial 2026112299 in');
  });

  it('is compared by zone check with what is published, while the agent runs', async () => {
    const check = async (path: string, zone = origin) => await alice.peer(['zone', 'check', path, zone]);
    const candidate = (serial: number, www: string): string =>
      alice.write('candidate.zone', zoneText({ serial, ns1: alice.host, ns2: bob.host, www }));
    const back = await check(candidate(5, '192.0.2.9'));
    expect(back).toMatchObject({ code: 0 });
    expect(back.stdout).toMatch(
      /candidate\.zone:2:1: warning: the SOA serial 5 .* published 2026112300; serving 2026112301/,
    );
    expect(back.stdout).toContain('is good, serial 5; published is 2026112300');
    const raised = await check(candidate(2026112301, '192.0.2.9'));
    expect(raised).toMatchObject({ code: 0 });
    expect(raised.stdout).not.toContain('warning');
    // Nothing was published by checking.
    expect(await authoritativeSerial(bob.dns, origin)).toBe(2026112300);
  });

  it('of a signed zone is never raised here: the change is refused with its place until it is signed again', async () => {
    const file = writeSigned(10, '192.0.2.66');
    const place = `${file}:2:1`;
    await eventually('it is refused', async () => (await alice.well(['status'])).includes(place));
    expect((await zoneOf(signedOrigin)).problems).toMatchObject([
      { severity: 'error', line: 2, text: expect.stringContaining('raise the serial and sign it again') },
    ]);
    const checked = await alice.peer(['zone', 'check', file, signedOrigin]);
    expect(checked.code).toBe(1);
    expect(checked.stdout).toContain(`${place}: error: the content changed, but the SOA serial 10`);
    const pushed = await alice.peer(['zone', 'push', signedOrigin]);
    expect(pushed.code).toBe(65);
    await bothAnswer(10, '192.0.2.1', signedOrigin);
    writeSigned(9, '192.0.2.66');
    await eventually('the older one is refused too', async () =>
      (await zoneOf(signedOrigin)).problems.some(({ text }) => text.includes('serial 9 is not newer')),
    );
    await bothAnswer(10, '192.0.2.1', signedOrigin);
    writeSigned(11, '192.0.2.66');
    await bothAnswer(11, '192.0.2.66', signedOrigin);
    expect((await zoneOf(signedOrigin)).problems).toEqual([]);
  });

  it('goes on rising where the zone was removed and added again with a young file', async () => {
    await alice.well(['zone', 'remove', origin]);
    await alice.well(['zone', 'add', origin, '--file', write(1, '192.0.2.4')]);
    await alice.well(['zone', 'push', origin]);
    await bothAnswer(2026112301, '192.0.2.4');
  });

  it('goes round the end of the numbers as RFC 1982 has it', async () => {
    for (const [serial, www] of [
      [2026112301 + 2 ** 31 - 1, '192.0.2.5'],
      [4_294_967_295, '192.0.2.6'],
      [0, '192.0.2.7'],
      [3, '192.0.2.8'],
    ] as const) {
      write(serial, www);
      await bothAnswer(serial, www);
    }
  });

  it('is not compared by zone check where no agent runs, and that is said', async () => {
    await alice.stop();
    const file = write(1, '192.0.2.9');
    const checked = await alice.peer(['zone', 'check', file, origin]);
    expect(checked).toMatchObject({ code: 0 });
    expect(checked.stdout).toContain('is good, serial 1');
    expect(checked.stderr).toContain('not compared');
    const checkedJson = await alice.json<{ publishedSerial: number | null }>(['zone', 'check', file, origin]);
    expect(checkedJson.publishedSerial).toBeNull();
  });

  it('that was set back while the agent was off is healed at the start', async () => {
    await alice.up();
    await bothAnswer(4, '192.0.2.9');
  });
});
