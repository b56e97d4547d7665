import { isoTime, visible } from '@copain/core';
import type { MailFacts, StatusFacts } from './facts.ts';
import type { AlertMark, Finding } from './finding.ts';
import type { Todo, Verdict } from './status-document.ts';
import { count, joinNames } from './wording.ts';

/**
 * A box that is out of its circle: what that means, and the one thing to do. Nothing else is worth saying then: friends
 * who do not answer it any more are no finding of their own.
 */
export function outOfCircle({ membership, zones, mail }: StatusFacts): Verdict | undefined {
  const verdict = (text: string, todo: Omit<Todo, 'weight'>): Verdict => ({
    level: 'danger',
    text,
    todo: [{ weight: 'danger', ...todo }, ...mail.flatMap(strandedMail)],
  });
  const own = [
    ...zones.flatMap(({ role, origin }) => (role === 'primary' ? [origin] : [])),
    ...mail.flatMap(({ role, domain }) => (role === 'primary' ? [domain] : [])),
  ];
  const names = [...new Set(own)];
  const alone =
    names.length === 0
      ? ''
      : ` ${joinNames(names)} ${names.length === 1 ? 'is' : 'are'} answered by this box alone: take the friends out of NS and MX at your registrar.`;
  switch (membership.state) {
    case 'member':
      return undefined;
    case 'revoked':
      return verdict(
        'This box was revoked by its owner: no friend takes anything from it, hands it mail or answers it any more.',
        {
          text: 'If that was you, stop it: peer stop. To have a box here again, start in a new --home (peer init) and let it in on your other box: peer box add NAME. If it was not you, somebody has your owner key: replace it there with the paper key, peer key rotate --key-file FILE.',
          command: 'peer key show',
        },
      );
    case 'removed':
      return verdict(
        `You were removed from the circle by ${joinNames(membership.by)}${onDate(membership.atMs)}, for good: friends give this box nothing any more, and take nothing from it.${alone}`,
        {
          text: 'Its keys never come back into this circle; an invite to another circle works. To be in again: a new box in a new --home (peer init), and a new invite.',
          command: 'peer join',
        },
      );
    case 'invite-taken':
      return verdict(
        `This box is in no circle: somebody else came in by the same invite at the same time, and the circle counts him alone.${alone}`,
        { text: 'Ask for a new invite.', command: 'peer join' },
      );
  }
}

/** Mail of others that nobody takes from this box any more: only a person can bring it to its owner. */
function strandedMail({ role, domain, owner, messages }: MailFacts): Todo[] {
  if (role === 'primary' || messages === 0) return [];
  const text = `${count(messages, 'message')} for ${visible(domain)} ${messages === 1 ? 'is' : 'are'} still here, sealed to ${visible(owner)}, and nobody takes ${messages === 1 ? 'it' : 'them'} from this box any more. As files that ${visible(owner)} can open: peer mail export --format age --out DIR`;
  return [{ weight: 'danger', text, command: 'peer mail list --here' }];
}

const onDate = (atMs: number | undefined): string =>
  atMs === undefined ? '' : ` on ${isoTime(atMs).slice(0, 10)}`;

/** Whoever removed the owner of this box for himself alone: nothing flows between the two boxes. */
export function apartFindings(facts: StatusFacts): Finding[] {
  const { by } = facts.membership;
  if (by.length === 0) return [];
  const text = `${joinNames(by)} removed you from the circle for himself: his box gives yours nothing and takes nothing from it. One more member who does the same takes you out of the circle.`;
  const alert: AlertMark = { key: 'circle/apart', kind: 'circle', about: by };
  return [{ weight: 'attention', todo: { text, command: 'peer events' }, alert }];
}
