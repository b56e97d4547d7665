import { chmodSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Address, Box } from './lib/box.ts';
import { delv } from './lib/delv.ts';
import { authoritativeSerial, dig } from './lib/dig.ts';
import { dnsServerPrograms, freePort } from './lib/dns-servers.ts';
import { eventually } from './lib/eventually.ts';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { runWell } from './lib/run.ts';
import { oneCircle, openScene } from './lib/scene.ts';
import {
  type Denial,
  denyByNsec3,
  type SigningKind,
  type SigningPrimary,
  signAnew,
  startSigningPrimary,
} from './lib/signing-primaries.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const kinds = ['bind', 'knot'] as const;
const tools = ['dig', 'delv', 'nsupdate', 'knotc'];
const programs = [...tools, ...kinds.flatMap((kind) => dnsServerPrograms[kind])];
const more = ['*.wild IN A 192.0.2.7', 'alias IN CNAME www', 'sub IN NS ns.sub', 'ns.sub IN A 192.0.2.9'];

let alice: Box;
let bob: Box;
const primaries = new Map<SigningKind, SigningPrimary>();
const primaryOf = (kind: SigningKind): SigningPrimary => primaries.get(kind) as SigningPrimary;
const originOf = (kind: SigningKind): string => `${kind}.example`;

interface Shown {
  zone: { primary: { failing: unknown; lastTransfer: { how: string; serial: number } | null } };
}
const lastTransfer = async (kind: SigningKind) =>
  (await alice.json<Shown>(['zone', 'show', originOf(kind)])).zone.primary.lastTransfer;

/** The SOA of a signed zone rises with each step of its signing: this waits until the friend has the last one. */
async function friendHasAll(kind: SigningKind): Promise<number> {
  const { origin, server } = primaryOf(kind);
  return await eventually(`bob answers what ${kind} has`, async () => {
    const [there, here] = await Promise.all(
      [server.address, bob.dns].map((address) => authoritativeSerial(address, origin)),
    );
    return there === here ? here : undefined;
  }).catch((error: unknown) => {
    process.stderr.write(`\n===== ${kind}\n${server.log().slice(-6000)}\n`);
    throw error;
  });
}

/** Each signature over this, at the friend's. */
async function signatures(name: string, type: string): Promise<string[]> {
  const { answers } = await dig(bob.dns, name, type, { tcp: true, more: ['+dnssec'] });
  return answers.filter((line) => line.split(' ')[3] === 'RRSIG').toSorted();
}

/** What a server says about something that is not there: its authority section, by the real dig. */
async function proof({ host, port }: Address, name: string, type: string): Promise<string[]> {
  const options = ['+norec', '+dnssec', '+tcp', '+noall', '+authority'];
  const said = await runWell(['dig', '-r', `@${host}`, '-p', String(port), ...options, name, type]);
  return said
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replaceAll(/\s+/g, ' '))
    .toSorted();
}

/**
 * delv, with the primary's key as its anchor, validates what the friend answers, and what is not there he denies with the
 * very records with which the primary denies it.
 */
async function expectValid(kind: SigningKind, denial: Denial, there: readonly string[] = []): Promise<void> {
  const primary = primaryOf(kind);
  const { origin } = primary;
  const found = [`www.${origin}`, `alias.${origin}`, `any.wild.${origin}`];
  for (const name of [...found, ...there.map((label) => `${label}.${origin}`)])
    expect(await delv(bob.dns, primary, name, 'A'), name).toContain('; fully validated');
  const absent = [
    [`nothing.${origin}`, 'A'],
    [`zzz.${origin}`, 'A'],
    [`www.${origin}`, 'TXT'],
    [`sub.${origin}`, 'DS'],
  ] as const;
  for (const [name, type] of absent) {
    const said = await delv(bob.dns, primary, name, type);
    expect(said, `${name} ${type}`).toContain('; negative response, fully validated');
  }
  for (const [name, type] of absent) {
    const here = await proof(bob.dns, name, type);
    expect(here, `${name} ${type}`).toEqual(await proof(primary.server.address, name, type));
    const types = new Set(here.map((line) => line.split(' ')[3]));
    expect(types, `${name} ${type}`).toEqual(new Set(['SOA', denial, 'RRSIG']));
  }
}

describe.skipIf(whyNot({ programs }, 'transfer-in-signed'))('a zone that its hidden primary signs', () => {
  beforeAll(async () => {
    const block = await freshBlock();
    [alice, bob] = ['alice', 'bob'].map((name, i) => scene.box({ name, host: block.of(i + 1) })) as [
      Box,
      Box,
    ];
    await oneCircle([alice, bob]);
    const keyText = await runWell(['tsig-keygen', 'home']);
    const secret = /secret "([^"]+)"/.exec(keyText)?.[1] ?? '';
    chmodSync(alice.write('home.key', keyText), 0o600);
    for (const kind of kinds) {
      const zone = zoneText({ serial: 1, ns1: '192.0.2.1', ns2: '192.0.2.2', more });
      const key = { name: 'home', secret };
      const options = { kind, port: await freePort(), origin: originOf(kind), zone, key, box: alice.dns };
      const primary = await startSigningPrimary(options);
      scene.use(primary.server);
      primaries.set(kind, primary);
    }
  });

  it.each(kinds)(
    'comes from %s with its signatures, and delv validates what a friend answers',
    async (kind) => {
      const { origin, server, denial } = primaryOf(kind);
      const at = `127.0.0.1:${server.address.port}`;
      await alice.well(['zone', 'add', origin, '--primary', at, '--tsig-file', `${alice.home}/home.key`]);
      await friendHasAll(kind);
      await expectValid(kind, denial);
    },
  );

  it.each(kinds)('changes on %s by IXFR, with its signatures and its chain of proofs', async (kind) => {
    const primary = primaryOf(kind);
    const before = await signatures(primary.origin, 'SOA');
    await primary.change('nothinh', '192.0.2.77');
    await eventually('bob answers what is new', async () => {
      return (await dig(bob.dns, `nothinh.${primary.origin}`, 'A')).status === 'NOERROR';
    });
    const serial = await friendHasAll(kind);
    await expectValid(kind, primary.denial, ['nothinh']);
    expect(await signatures(primary.origin, 'SOA')).not.toEqual(before);
    expect(await lastTransfer(kind)).toMatchObject({ how: 'ixfr', serial });
  });

  it('that is signed anew as a whole comes by IXFR, and validates with the new signatures', async () => {
    const { origin, server, denial } = primaryOf('knot');
    const before = await signatures(`www.${origin}`, 'A');
    expect(before).toHaveLength(1);
    await signAnew(server, origin);
    await eventually('bob answers with another signature', async () => {
      const now = await signatures(`www.${origin}`, 'A');
      return now.length === 1 && now[0] !== before[0];
    });
    const serial = await friendHasAll('knot');
    await expectValid('knot', denial, ['nothinh']);
    expect(await lastTransfer('knot')).toMatchObject({ how: 'ixfr', serial });
  });

  it('that turns from NSEC to NSEC3 comes by IXFR, and its proofs validate', async () => {
    const { origin, server } = primaryOf('knot');
    denyByNsec3(server);
    await eventually('bob has the parameters', async () => {
      return (await dig(bob.dns, origin, 'NSEC3PARAM')).answers.length > 0;
    });
    const serial = await friendHasAll('knot');
    await expectValid('knot', 'NSEC3', ['nothinh']);
    expect(await lastTransfer('knot')).toMatchObject({ how: 'ixfr', serial });
  });
});
