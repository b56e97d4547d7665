import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { anchorsText, type TrustAnchor } from './delv.ts';
import { dig } from './dig.ts';
import type { DnsServer } from './dns-servers.ts';
import { eventually } from './eventually.ts';
import { type HiddenPrimary, type HiddenPrimaryOptions, startHiddenPrimary } from './hidden-primaries.ts';
import { runWell } from './run.ts';

/** The servers that sign by themselves what is edited on them. */
export type SigningKind = 'bind' | 'knot';

/** How the zone says what is not there. */
export type Denial = 'NSEC' | 'NSEC3';

/** A hidden primary that makes keys for its zone and signs it. */
export interface SigningPrimary extends HiddenPrimary, TrustAnchor {
  /** How it is signed at first. */
  denial: Denial;
}

/** Starts it with the lines of a hidden primary and those that have it sign: BIND with NSEC3, Knot with NSEC. */
export async function startSigningPrimary(
  options: HiddenPrimaryOptions & { kind: SigningKind },
): Promise<SigningPrimary> {
  const { kind, origin } = options;
  const lines = signing[kind];
  const primary = await startHiddenPrimary({ ...options, zoneLines: lines.zone, policyLines: lines.policy });
  const { server } = primary;
  const key = await eventually(`${kind} has signed its keys`, async () => {
    const { answers } = await dig(server.address, origin, 'DNSKEY', { tcp: true, more: ['+dnssec'] });
    const fields = answers.map((line) => line.split(' ').slice(3));
    if (!fields.some(([type, covered]) => type === 'RRSIG' && covered === 'DNSKEY')) return undefined;
    return fields.find(([type, flags]) => type === 'DNSKEY' && flags === '257')?.slice(1);
  });
  const anchors = join(server.folder, 'anchors');
  writeFileSync(anchors, anchorsText(origin, key.join(' ')));
  return { ...primary, origin, anchors, denial: lines.denial };
}

const signing: Record<SigningKind, { policy: string; zone: string; denial: Denial }> = {
  bind: {
    policy: `dnssec-policy "signed" {
  keys {
    ksk lifetime unlimited algorithm ecdsap256sha256;
    zsk lifetime unlimited algorithm ecdsap256sha256;
  };
  nsec3param iterations 0 optout no salt-length 0;
};
`,
    zone: '  dnssec-policy "signed";\n  inline-signing yes;\n',
    denial: 'NSEC3',
  },
  knot: {
    policy: 'policy:\n  - id: signed\n    algorithm: ecdsap256sha256\n    nsec3: off\n',
    zone: '    dnssec-signing: on\n    dnssec-policy: signed\n',
    denial: 'NSEC',
  },
};

/** Has Knot sign the whole zone anew, each record of it. */
export async function signAnew(knot: DnsServer, origin: string): Promise<void> {
  await runWell(['knotc', '-b', '-s', join(knot.folder, 'knot.sock'), 'zone-sign', origin]);
}

/** Has Knot deny by NSEC3 from now on, where it denied by NSEC. */
export function denyByNsec3(knot: DnsServer): void {
  const file = join(knot.folder, 'knot.conf');
  writeFileSync(file, readFileSync(file, 'utf8').replace('nsec3: off', 'nsec3: on\n    nsec3-iterations: 0'));
  knot.signal('SIGHUP');
}
