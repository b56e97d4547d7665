import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { HostPort } from '@copain/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deliveriesAtOnce } from '../limits.ts';
import { ageKey, aliceId, eventually, startFriend, startOwner, temporaryFolder } from './testing.ts';
import { message, submit, talkTo, withoutTrace } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';
import { CutDisk, type NameKeeping } from './testing-power-cut.ts';
import { openStores } from './testing-process.ts';
import { readSystemCalls, type SystemCall, straceArguments } from './testing-syscall-log.ts';

const strace = spawnSync('strace', ['--seccomp-bpf', '-f', '-o', '/dev/null', 'true']).status === 0;
if (!strace)
  console.warn(
    'skipped: strace is not installed or may not trace, so the calls of a box cannot be written down',
  );

/** So small that every few messages begin a new file. */
const segmentBytes = 6000;

/** A run of alice's box, bob's and her MTA, all calls of it, and what its clients heard. */
interface Recorded {
  calls: SystemCall[];
  root: string;
  lastLine: number;
  key: { identity: string; recipient: string };
  /** Each message that was answered with 250, and each that the MTA took, with the line of the log on which that was. */
  accepted: { text: string; at: number; live: boolean }[];
  atMta: { text: string; at: number }[];
  /** Up to here alice was never there. */
  metAt: number;
}

let recorded: Recorded;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;

describe.skipIf(!strace)('after a power cut at any instant', () => {
  beforeAll(async () => {
    folder = await temporaryFolder();
    recorded = await record(folder.dir);
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  it('the run that is cut has what is to be looked at: mail held, handed over and passed live, in many files', () => {
    const { calls, accepted, atMta, metAt, root } = recorded;
    expect(accepted).toHaveLength(perPhase * 3);
    expect(accepted.filter(({ at }) => at < metAt)).toHaveLength(perPhase);
    expect(new Set(atMta.map(({ text }) => text)).size).toBe(perPhase * 2);
    const begun = calls.filter(
      ({ name, strings, text }) =>
        name === 'openat' &&
        text.includes('O_CREAT') &&
        strings[0]?.toString().startsWith(`${root}/bob/held/`),
    );
    expect(begun.length).toBeGreaterThan(4);
  });

  it('all mail that was answered with 250 arrives, once, where names are kept as a journal keeps them', async () => {
    await fc.assert(
      fc.asyncProperty(cuts(), fc.infiniteStream(fc.nat()), async (cutAt, chosen) => {
        const { lost, twice, found, counted, held } = await afterCut({ cutAt, chosen, keeping: 'journal' });
        expect({ lost, found }).toEqual({ lost: [], found: ['whole', 'whole'] });
        // The one window: the MTA has said 250, and that is not on the disk yet.
        const ended = recorded.accepted.filter(({ at, live }) => live && at <= cutAt).map(({ text }) => text);
        expect(twice.filter((text) => ended.includes(text))).toEqual([]);
        expect(twice.length).toBeLessThanOrEqual(deliveriesAtOnce + lanes);
        expect(counted).toBeGreaterThanOrEqual(held);
      }),
      { numRuns: 25 },
    );
  }, 60_000);

  it('and all of it arrives where a file has a name only once its own folder was synced', async () => {
    await fc.assert(
      fc.asyncProperty(cuts(), fc.infiniteStream(fc.nat()), async (cutAt, chosen) => {
        const { lost } = await afterCut({ cutAt, chosen, keeping: 'posix' });
        expect(lost).toEqual([]);
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});

const perPhase = 16;
const lanes = 4;

/** Clients that come again after the cut, those that had no 250 and those that had one. */
const comeAgain = 8;

/** The disks that are found need no syncs of their own. */
const inMemory = existsSync('/dev/shm') ? '/dev/shm' : undefined;

/** Any line of the log; those on which a 250 goes out, or the sync of a segment begins, more often: there something can be lost, or torn. */
const cuts = (): fc.Arbitrary<number> => {
  const syncs = recorded.calls
    .filter(({ name, on }) => name === 'fdatasync' && on.endsWith('.seg'))
    .map(({ beganAt }) => beganAt);
  return fc.oneof(
    fc.nat().map((n) => n % recorded.lastLine),
    fc.nat().map((n) => recorded.accepted[n % recorded.accepted.length]?.at ?? 0),
    fc.nat().map((n) => syncs[n % syncs.length] ?? 0),
  );
};

/** Starts both boxes on what the cut left, lets them meet, and says what became of the mail. */
async function afterCut({
  cutAt,
  chosen,
  keeping,
}: {
  cutAt: number;
  chosen: fc.Stream<number>;
  keeping: NameKeeping;
}) {
  const { calls, root, key, accepted, atMta } = recorded;
  await using found = await temporaryFolder(inMemory);
  const choose = (below: number): number => (chosen.next().value ?? 0) % below;
  await new CutDisk(calls, { root, cutAt, keeping }).write(found.dir, choose);
  await using aliceStores = await openStores(join(found.dir, 'alice'), { segmentBytes });
  await using bobStores = await openStores(join(found.dir, 'bob'), { segmentBytes });
  await using mta = await startFakeMta();
  await using alice = await startOwner({ stores: aliceStores, ...key, mta: mta.address });
  await using bob = await startFriend({ stores: bobStores, recipient: key.recipient });
  const held = bob.mail.heldCount();
  const counted = bob.mail.tallies().get(aliceId)?.messages ?? 0;
  await using talk = await talkTo(bob.address);
  const next = accepted.filter(({ at }) => at <= cutAt).length;
  for (const { text } of accepted.slice(Math.max(0, next - comeAgain / 2), next + comeAgain / 2))
    expect(await submit(talk, { data: text })).toMatch(/^250 /);
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  await eventually(async () => bob.mail.heldCount() === 0 && (await alice.mail.list()).length === 0);
  const before = atMta.filter(({ at }) => at <= cutAt).map(({ text }) => text);
  const after = mta.messages.map(({ data }) => withoutTrace(data));
  return {
    lost: accepted
      .filter(({ text, at }) => at <= cutAt && !before.includes(text) && !after.includes(text))
      .map(({ text }) => text),
    twice: after.filter((text, i) => before.includes(text) || after.indexOf(text) !== i),
    found: [aliceStores.found, bobStores.found],
    held,
    counted,
  };
}

/** Three phases: alice away, alice there, alice away again. */
async function record(dir: string): Promise<Recorded> {
  const key = await ageKey();
  const root = join(dir, 'disk');
  const logPath = join(dir, 'calls');
  await mkdir(root);
  const { child, pid, bob, mta } = await startBoth(root, logPath, key);
  const texts = new Map<number, string>();
  const send = async (phase: string): Promise<void> => {
    const lane = async (name: number): Promise<void> => {
      for (let i = 0; i < perPhase / lanes; i += 1) {
        await using talk = await talkTo(bob);
        const text = message(`${phase} ${name} ${i} ${'more '.repeat(i * 100)}`);
        texts.set((talk.socket.address() as AddressInfo).port, text);
        expect(await submit(talk, { data: text })).toMatch(/^250 /);
      }
    };
    await Promise.all(Array.from({ length: lanes }, (_, name) => lane(name)));
  };
  await send('away');
  child.stdin?.write('meet\n');
  await send('there');
  child.stdin?.write('idle?\n');
  await once(createInterface({ input: child.stdout ?? process.stdin }), 'line');
  child.stdin?.write('part\n');
  await send('away again');
  process.kill(pid, 'SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');

  const calls = readSystemCalls(await readFile(logPath, 'latin1'));
  const said = calls.filter(({ name, on }) => /^writev?$/.test(name) && on.startsWith('TCP:'));
  const towards = (port: number): RegExp => new RegExp(`->[^>]*:${port}\\]$`);
  const from = (port: number): RegExp => new RegExp(`:${port}->`);
  const accepted: Recorded['accepted'] = [];
  const atMta: Recorded['atMta'] = [];
  const underWay = new Map<string, string>();
  for (const { on, strings, beganAt } of said) {
    const bytes = Buffer.concat(strings).toString('latin1');
    const how = from(bob.port).test(on) && /^250 .*(held for the owner|queued as FAKE)/m.exec(bytes)?.[1];
    if (how) {
      const text = texts.get(Number(/:(\d+)\]$/.exec(on)?.[1]));
      if (text !== undefined) accepted.push({ text, at: beganAt, live: how !== 'held for the owner' });
    }
    if (towards(mta.port).test(on)) underWay.set(reversed(on), (underWay.get(reversed(on)) ?? '') + bytes);
    if (from(mta.port).test(on) && bytes.includes('queued as FAKE')) {
      const text = [...texts.values()].find((one) => underWay.get(on)?.includes(one));
      if (text !== undefined) atMta.push({ text, at: beganAt });
      underWay.set(on, '');
    }
  }
  const metAt =
    calls.find(({ strings }) => strings.some((bytes) => bytes.toString() === 'met\n'))?.beganAt ?? 0;
  return { calls, root, key, accepted, atMta, metAt, lastLine: calls.at(-1)?.beganAt ?? 0 };
}

/** `TCP:[a->b]` as `TCP:[b->a]`. */
const reversed = (on: string): string => on.replace(/\[(.*)->(.*)\]/, '[$2->$1]');

/** All in one process, which hears by lines whether alice can be reached. */
async function startBoth(
  root: string,
  logPath: string,
  key: Recorded['key'],
): Promise<{ child: ChildProcess; pid: number; bob: HostPort; mta: HostPort }> {
  const here = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
  const program = `
    import { writeSync } from 'node:fs';
    import { createInterface } from 'node:readline';
    import { aliceId, eventually, startFriend, startOwner } from ${here('./testing.ts')};
    import { startFakeMta } from ${here('./testing-mta.ts')};
    import { openStores } from ${here('./testing-process.ts')};
    const [root, segmentBytes, key] = ${JSON.stringify([root, segmentBytes, key])};
    const mta = await startFakeMta();
    const stores = (name) => openStores(root + '/' + name, { segmentBytes });
    const alice = await startOwner({ stores: await stores('alice'), ...key, mta: mta.address });
    const bob = await startFriend({ stores: await stores('bob'), recipient: key.recipient });
    const isIdle = async () => bob.mail.heldCount() === 0 && (await alice.mail.list()).length === 0;
    createInterface({ input: process.stdin }).on('line', async (line) => {
      if (line === 'meet') {
        writeSync(2, 'met\\n');
        bob.owner = alice.mail;
        bob.mail.ownerReachable(aliceId);
      } else if (line === 'part') {
        bob.owner = undefined;
        bob.mail.ownerGone(aliceId);
      } else {
        await eventually(isIdle);
        console.log('idle');
      }
    });
    console.log(bob.address.port + ' ' + mta.address.port + ' ' + process.pid);`;
  const [strace = '', ...given] = straceArguments(logPath);
  const node = [process.execPath, '--conditions=@copain/source', '--input-type=module', '--eval', program];
  const child = spawn(strace, [...given, ...node], {
    stdio: ['pipe', 'pipe', 'ignore'],
    cwd: import.meta.dirname,
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [bob = 0, mta = 0, pid = 0] = line.split(' ').map(Number);
  return { child, pid, bob: { host: '127.0.0.1', port: bob }, mta: { host: '127.0.0.1', port: mta } };
}
