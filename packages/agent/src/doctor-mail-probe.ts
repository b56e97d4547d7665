import { humanDuration, visible } from '@copain/core';
import { doesTake, type ProbeRow, probeFailuresMax } from '@copain/mail';
import type { MailProbeFacts } from '@copain/status';
import type { MailProof } from './doctor-mail.ts';
import type { Check } from './doctor-net.ts';

/** One backup of one domain: what came of asking it as a stranger would, and of its last canary. */
export interface ProbeStatusRow extends Pick<ProbeRow, 'domain' | 'probe' | 'canary' | 'okAtMs'> {
  name: string;
  friend: string;
}

/** The same for the status document. */
export function probeFacts(row: ProbeStatusRow): MailProbeFacts {
  const { friend, probe, okAtMs, canary } = row;
  const isFailing = probe !== undefined && probe.kind !== 'unknown' && probe.failures >= probeFailuresMax;
  return {
    friend,
    ok: probe !== undefined && doesTake(probe) ? true : isFailing ? false : undefined,
    text: probe?.text,
    address: probe?.address === '' ? undefined : probe?.address,
    atMs: probe?.atMs,
    okAtMs,
    canary:
      canary === undefined
        ? undefined
        : {
            state: canary.kind,
            atMs: canary.atMs,
            ...(canary.kind === 'arrived' ? { tookMs: canary.tookMs } : {}),
            ...(canary.kind === 'failed' ? { text: canary.text } : {}),
          },
  };
}

/** Does this backup take our mail, as strangers see it, and does what it holds come back? */
export function probeChecks(row: ProbeStatusRow, proof: MailProof): Check[] {
  const { domain, name, probe } = row;
  const id = `mail.backup.${visible(domain)}.${visible(name)}`;
  const who = `${visible(name)} as a backup of ${visible(domain)}`;
  if (probe === undefined)
    return [
      { id, ok: null, text: `${who} was not asked yet.`, hint: 'peer doctor mail' },
      ...canaryChecks(row, id),
    ];
  const hint = `peer friends show ${visible(row.friend)}`;
  const where = probe.address === '' ? '' : ` at ${visible(probe.address)}`;
  const ago = humanDuration(Math.max(0, proof.nowMs - probe.atMs));
  const said = visible(probe.text, 300);
  switch (probe.kind) {
    case 'accepted':
      return [
        { id, ok: true, text: `${who} takes mail${where}, asked ${ago} ago.`, hint: null },
        ...canaryChecks(row, id),
      ];
    case 'passed': {
      const text = `${who} passes mail on${where}, asked ${ago} ago.`;
      const own = `Your own server takes no mail for postmaster@${visible(domain)}, as RFC 5321 §4.5.1 wants: ${said}.`;
      return [
        { id, ok: true, text, hint: null },
        { id: `${id}.postmaster`, ok: null, text: own, hint: 'docs/mail-check.md' },
        ...canaryChecks(row, id),
      ];
    }
    case 'refused': {
      const text = `${who} does not take mail${where}, asked ${ago} ago: ${said}.`;
      return [{ id, ok: probe.failures < proof.probeFailures ? null : false, text, hint }];
    }
    case 'silent': {
      const isMaybeMe = proof.probes.every((one) => one.okAtMs === undefined && one.probe?.kind === 'silent');
      const doubt = isMaybeMe
        ? '; none ever answered this box, so it may be that your provider blocks connections to port 25'
        : '';
      const text = `${who} does not answer${where}, asked ${ago} ago: ${said}${doubt}.`;
      const isBad = probe.failures >= proof.probeFailures && !isMaybeMe;
      return [{ id, ok: isBad ? false : null, text, hint }];
    }
    case 'unknown':
      return [{ id, ok: null, text: `${who} could not be asked: ${said}.`, hint }];
  }
}

function canaryChecks({ canary, name, domain }: ProbeStatusRow, above: string): Check[] {
  if (canary === undefined) return [];
  const id = `${above}.canary`;
  const what = `The canary through ${visible(name)} for ${visible(domain)}`;
  switch (canary.kind) {
    case 'sent':
      return [{ id, ok: null, text: `${what} is on its way.`, hint: null }];
    case 'arrived': {
      const text = `${what} was held and came back whole within ${humanDuration(Math.max(1000, canary.tookMs))}.`;
      return [{ id, ok: true, text, hint: null }];
    }
    case 'failed':
      return [
        {
          id,
          ok: false,
          text: `${what} did not come back: ${visible(canary.text, 300)}.`,
          hint: 'peer mail list',
        },
      ];
  }
}
