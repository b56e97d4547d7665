import { humanDuration, visible } from '@copain/core';
import type { StatusFacts } from './facts.ts';
import type { AlertMark, Finding } from './finding.ts';
import { statusLimits } from './limits.ts';
import { shellWord } from './wording.ts';

/** Own services that somebody else answers for: how come, and when that ends. Those of friends are no finding of ours. */
export function takeoverFindings({ takeovers, signedStandbys = [] }: StatusFacts, nowMs: number): Finding[] {
  return [
    ...signedStandbys.flatMap((one) => signatureFinding(one, nowMs)),
    ...takeovers.flatMap(takeoverFinding),
  ];
}

/** A signature that ends unnoticed leaves a service without its standby when it is needed. */
function signatureFinding(
  { service, name, untilMs }: { service: string; name: string; untilMs: number },
  nowMs: number,
): Finding[] {
  const leftMs = untilMs - nowMs;
  if (leftMs >= statusLimits.standbySignedForMs) return [];
  const end = leftMs <= 0 ? 'have expired' : `expire in ${humanDuration(leftMs)}`;
  const text = `The signatures over what the standby of ${visible(service)} (${visible(name)}) answers ${end}: sign its records again, into the file that peer.toml names.`;
  const alert: AlertMark = {
    key: `takeover/${service}/signatures`,
    kind: 'takeover',
    about: [service, name],
    stage: leftMs <= 0 ? 2 : 1,
  };
  return [{ weight: 'attention', todo: { text, command: 'peer reload' }, alert }];
}

function takeoverFinding(one: StatusFacts['takeovers'][number]): Finding[] {
  if (one.how === undefined) return [];
  const what = `${visible(one.service)} (${visible(one.name)})`;
  const by = visible(one.by);
  const service = shellWord(one.service);
  if (one.how === 'drill')
    return [
      {
        weight: 'hint',
        todo: { text: `A rehearsal: ${by} answers for ${what}.`, command: 'peer service list' },
      },
    ];
  if (one.how === 'pinned')
    return [
      {
        weight: 'hint',
        todo: {
          text: `${what} is answered from ${by}, since you pinned it down. To let friends decide again:`,
          command: `peer service pin ${service} obey`,
        },
      },
    ];
  const waits =
    one.how === 'flapping'
      ? 'It moved three times within a day, so it stays there until you say so.'
      : 'It comes home by itself once it has been well for some time; at once with:';
  return [
    {
      weight: 'attention',
      todo: { text: `${by} stands in for ${what}. ${waits}`, command: `peer service pin ${service} up` },
      alert: {
        key: `takeover/${one.service}`,
        kind: 'takeover',
        about: [one.service, one.name, one.by],
        stage: one.how === 'flapping' ? 2 : 1,
        over: `${what} is answered from home again.`,
      },
    },
  ];
}
