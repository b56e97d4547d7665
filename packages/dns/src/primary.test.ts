import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadZone } from './load-zone.ts';
import { nameOf } from './name.ts';
import {
  type PrimaryInput,
  type PrimaryState,
  serialProblems,
  startPrimaryState,
  stepPrimary,
} from './primary.ts';
import { decodeZone, encodeZone } from './zone-encoding.ts';
import { isNewerSerial } from './zone-serial.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
const owner = 'ab'.repeat(32);
const origin = nameOf('alice.example');

function fresh(): PrimaryState {
  return startPrimaryState({ owner, origin }, sha256);
}

function file(serial: number, rest = '', epoch = 1): PrimaryInput {
  const text = `$TTL 300\n@ SOA ns hostmaster ${serial} 4h 1h 2w 60\n@ NS ns\nns A 192.0.2.53\n${rest}`;
  return { kind: 'file', file: 'alice.zone', ...loadZone({ text, file: 'alice.zone', origin }), epoch };
}

const inStep = (serial: number): string =>
  `since serials only rise. To be in step with the file again, write ${serial} or higher.`;

function run(...inputs: PrimaryInput[]) {
  let state = fresh();
  const told: string[] = [];
  for (const input of inputs) {
    const [next, effects] = stepPrimary(state, input, 1000, sha256);
    state = next;
    for (const effect of effects) {
      if (effect.kind === 'publish') {
        const { header, body, zone } = effect;
        expect(header.contentHash).toEqual(sha256(body));
        expect(header.sizeBytes).toBe(body.length);
        expect(decodeZone(body, origin)?.serial).toBe(header.serial);
        expect(encodeZone(zone)).toEqual(body);
        told.push(`publish ${header.sequence} serial ${header.serial}`);
      } else
        told.push(
          effect.kind === 'note' ? effect.text : `problem ${effect.problems.map(({ text }) => text).join()}`,
        );
    }
  }
  return { state, told };
}

it('publishes the first version and each that follows, chained by hash', () => {
  const { state, told } = run(file(1), file(2, 'w A 192.0.2.1\n'));
  expect(told).toEqual(['publish 1 serial 1', 'publish 2 serial 2']);
  expect(state.published?.previousHash).toEqual(run(file(1)).state.published?.contentHash);
  expect(run(file(1)).state.published?.previousHash).toEqual(new Uint8Array(32));
});

it('says nothing about the same content', () => {
  expect(run(file(1), file(1)).told).toEqual(['publish 1 serial 1']);
});

it('publishes a raised serial alone', () => {
  expect(run(file(1), file(5)).told).toEqual(['publish 1 serial 1', 'publish 2 serial 5']);
});

it('raises a serial that was not raised, says so, and does so once', () => {
  const changed = file(7, 'w A 192.0.2.1\n');
  expect(run(file(7), changed, changed).told).toEqual([
    'publish 1 serial 7',
    'publish 2 serial 8',
    `the SOA serial 7 in alice.zone is not newer than the published 7; serving 8, ${inStep(9)}`,
  ]);
});

it('heals a serial that was set back, and follows the file again once it is ahead', () => {
  expect(run(file(2026112201), file(1, 'w A 192.0.2.1\n'), file(2026112300, 'w A 192.0.2.2\n')).told).toEqual(
    [
      'publish 1 serial 2026112201',
      'publish 2 serial 2026112202',
      `the SOA serial 1 in alice.zone is not newer than the published 2026112201; serving 2026112202, ${inStep(2026112203)}`,
      'publish 3 serial 2026112300',
    ],
  );
});

it('says once that a serial alone was set back, and goes on serving the one before', () => {
  const { state, told } = run(file(9), file(9), file(3), file(3));
  expect(told).toEqual([
    'publish 1 serial 9',
    `the SOA serial 3 in alice.zone is not newer than the published 9; serving 9, ${inStep(10)}`,
  ]);
  expect(state).toMatchObject({ fileSerial: 3, published: { serial: 9, sequence: 1 } });
  // What a run finds at its start is no news: it was said when it happened.
  const restarted = { ...state, fileSerial: undefined };
  expect(stepPrimary(restarted, file(3), 2000, sha256)[1]).toEqual([]);
});

it('refuses a signed zone of which the serial alone was edited, up or down: its signature would not fit', () => {
  const signature = '@ RRSIG SOA 13 2 300 20270101000000 20261101000000 7 alice.example. AQIDBA==\n';
  const signed = `@ DNSKEY 257 3 13 AQIDBA==\n${signature}`;
  for (const serial of [6, 4]) {
    const { state, told } = run(file(5, signed), file(serial, signed), file(5, signed));
    expect(told[1]).toMatch(
      new RegExp(`^problem the SOA serial is ${serial} and was 5 when .* sign the zone again`),
    );
    expect(told.slice(2)).toEqual(['problem ']);
    expect(state.published).toMatchObject({ serial: 5, sequence: 1 });
  }
});

it.each([
  ['raised', 8, 'w A 192.0.2.1\n', []],
  ['the same', 7, '', []],
  [
    'not raised',
    7,
    'w A 192.0.2.1\n',
    ['warning: the SOA serial 7 in z is not newer than the published 7; serving 8'],
  ],
  [
    'set back',
    3,
    'w A 192.0.2.1\n',
    ['warning: the SOA serial 3 in z is not newer than the published 7; serving 8'],
  ],
  ['set back alone', 3, '', ['warning: the SOA serial 3 in z is not newer than the published 7; serving 7']],
  [
    'not raised, signed',
    7,
    '@ DNSKEY 257 3 13 AQIDBA==\n',
    ['error: the content changed, but the SOA serial 7 is not'],
  ],
])('a file that is checked is compared with what is published: %s', (_how, serial, rest, said) => {
  const { state } = run(file(7));
  const checked = { ...file(serial, rest), file: 'z' };
  const problems = serialProblems(state, checked, sha256);
  expect(problems.map(({ severity, text }) => `${severity}: ${text}`)).toEqual(
    said.map((text) => expect.stringContaining(text)),
  );
  for (const problem of problems) expect(problem).toMatchObject({ line: 2, column: 1, file: 'alice.zone' });
});

it('nothing is to be said about the serial of a file with mistakes, or of the first version', () => {
  expect(serialProblems(run(file(7)).state, file(1, 'w A nonsense\n'), sha256)).toEqual([]);
  expect(serialProblems(fresh(), file(1), sha256)).toEqual([]);
});

it('wraps the serial round as RFC 1982 does', () => {
  expect(run(file(0xffffffff), file(0xffffffff, 'w A 192.0.2.1\n')).told[1]).toBe('publish 2 serial 0');
});

it('keeps the good version where the file has a mistake, and clears the problem afterwards', () => {
  const { state, told } = run(file(1), file(2, 'w A nonsense\n'));
  expect(told[1]).toContain("problem A: 'nonsense' is not an IPv4 address");
  expect(state.published?.serial).toBe(1);
  expect(state.problems).toMatchObject([{ severity: 'error', file: 'alice.zone', line: 5, column: 5 }]);
  expect(stepPrimary(state, file(2, 'w A nonsense\n'), 2000, sha256)[1]).toEqual([]);
  const [mended, effects] = stepPrimary(state, file(1), 2000, sha256);
  expect([mended.problems, effects]).toEqual([[], [{ kind: 'problem', problems: [] }]]);
});

it('publishes in spite of warnings, and shows them', () => {
  expect(run(file(1, 's NS t.s\n')).told).toEqual(['publish 1 serial 1', expect.stringContaining('glue')]);
});

it('refuses a DNSSEC-signed zone whose content changed under the same serial, since it cannot sign', () => {
  const key = '@ DNSKEY 257 3 13 AQIDBA==\n';
  const { state, told } = run(
    file(1, key),
    file(1, `${key}w A 192.0.2.1\n`),
    file(2, `${key}w A 192.0.2.1\n`),
  );
  expect(told[1]).toContain('signed with DNSSEC');
  expect(told.slice(2)).toEqual(['publish 2 serial 2', 'problem ']);
  expect(state.published?.serial).toBe(2);
});

it('refuses a zone of another name', () => {
  const text = '$TTL 1\n@ SOA a. b. 1 2 3 4 5\n@ NS a.\n';
  const input: PrimaryInput = {
    kind: 'file',
    file: 'x',
    ...loadZone({ text, file: 'x', origin: nameOf('bob.example') }),
    epoch: 1,
  };
  expect(run(input).told).toEqual(['problem this is another zone']);
});

it('goes on after a restart where it stopped', () => {
  const [state, [effect]] = stepPrimary(fresh(), file(7), 1000, sha256);
  if (effect?.kind !== 'publish' || !state.published) throw new Error('not published');
  const restarted = startPrimaryState(
    { owner, origin, published: { header: state.published, body: effect.body } },
    sha256,
  );
  expect(stepPrimary(restarted, file(7), 2000, sha256)[1]).toEqual([]);
  expect(stepPrimary(restarted, file(7, 'w A 192.0.2.1\n', 4), 2000, sha256)[1][0]).toMatchObject({
    kind: 'publish',
    header: { sequence: 1, serial: 8, epoch: 4, previousHash: state.published.contentHash },
  });
});

it('signs the same content anew under a later epoch, with numbers from one, also where no higher number is left', () => {
  const { state, told } = run(file(3), file(3, '', 2), file(3, '', 2));
  expect(told).toEqual(['publish 1 serial 3', 'publish 1 serial 3']);
  expect(state.published).toMatchObject({ epoch: 2, sequence: 1 });
  if (state.published === undefined) throw new Error('not published');
  const far = { ...state, published: { ...state.published, sequence: Number.MAX_SAFE_INTEGER } };
  const [healed] = stepPrimary(far, file(3, '', 3), 2000, sha256);
  expect(healed.published).toMatchObject({ epoch: 3, sequence: 1, serial: 3 });
});

it('whatever serials a file is given, what is served only rises (RFC 1982), round the end of the numbers too', () => {
  const anySerial = fc.oneof(
    fc.nat(0xffffffff),
    fc.constantFrom(0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 0xfffffffe, 0xffffffff),
  );
  const origin = nameOf('alice.example');
  fc.assert(
    fc.property(fc.array(anySerial, { minLength: 2, maxLength: 12 }), (serials) => {
      let state = startPrimaryState({ owner: 'ab'.repeat(32), origin }, sha256);
      let last: number | undefined;
      for (const [index, serial] of serials.entries()) {
        const text = `$TTL 300\n@ SOA ns host ${serial} 4h 1h 2w 60\n@ NS ns\nns A 192.0.2.${index}\n`;
        const input = {
          kind: 'file' as const,
          file: 'z',
          epoch: 1,
          ...loadZone({ text, file: 'z', origin }),
        };
        const [next, effects] = stepPrimary(state, input, index, sha256);
        state = next;
        const published = effects.find((effect) => effect.kind === 'publish');
        if (published === undefined) throw new Error('a change was not published');
        const { header, body } = published;
        expect(decodeZone(body, origin)?.serial).toBe(header.serial);
        if (last !== undefined) expect(isNewerSerial(header.serial, last)).toBe(true);
        const isRaised = last === undefined || isNewerSerial(serial, last) === true;
        // The owner's own serial is taken wherever it may be, and he is told where it is not.
        expect(header.serial === serial).toBe(isRaised);
        expect(effects.some(({ kind }) => kind === 'note')).toBe(!isRaised);
        last = header.serial;
      }
    }),
  );
});
