import { humanDuration, visible } from '@copain/core';
import { backupsOf, type Circle, isThere } from './circle-of-facts.ts';
import type { MailFacts } from './facts.ts';
import type { AlertMark, Finding } from './finding.ts';
import { statusLimits } from './limits.ts';
import { count, shellWord } from './wording.ts';

/** Mail of one domain that waits, or that nobody keeps. A friend whose mail lies here because he is away is none of it. */
export function mailFindings(circle: Circle, mail: MailFacts): Finding[] {
  const {
    domain,
    owner,
    role,
    messages,
    oldestAtMs,
    backups,
    copies = 1,
    isEnded = false,
    quarantined = 0,
  } = mail;
  const shown = visible(domain);
  const waitsMs = oldestAtMs === undefined ? 0 : circle.nowMs - oldestAtMs;
  const isLate = messages > 0 && waitsMs > statusLimits.mailWaitsAfterMs;
  const findings: Finding[] = [];
  const late = { afterMs: statusLimits.troubleLateMs };
  const mark = (what: string, more: Partial<AlertMark> = {}): AlertMark => ({
    key: `mail/${domain}/${what}`,
    kind: 'mail',
    about: [domain],
    ...more,
  });
  if (role === 'primary' && circle.friends.size > 0 && backupsOf(circle, mail).length === 0) {
    const text = `Nobody who can be reached keeps mail for ${shown} while this box is away.`;
    findings.push({
      weight: 'attention',
      todo: { text, command: 'peer friends' },
      alert: mark('backups', late),
    });
  }
  if (isLate && (role === 'primary' || isThere(circle, owner))) {
    const whom = role === 'primary' ? 'your mail server' : visible(owner);
    const text = `${count(messages, 'message')} for ${shown} ${messages === 1 ? 'waits' : 'wait'} for ${whom}, the oldest for ${humanDuration(waitsMs)}.`;
    const todo = { text, command: `peer mail flush ${shellWord(domain)}` };
    // Mail of a friend's that he does not fetch is his to look after: his own box tells him.
    findings.push({ weight: 'attention', todo, ...(role === 'primary' ? { alert: mark('waiting') } : {}) });
  }
  if (quarantined > 0) {
    const [were, they] = quarantined === 1 ? ['was', 'it is'] : ['were', 'they are'];
    const text = `${count(quarantined, 'message')} for ${shown} ${were} refused by your mail server; ${they} kept until you decide.`;
    // Spam comes in dozens: what doubled is worth saying again.
    const alert = mark('refused', { stage: 1 + Math.floor(Math.log2(quarantined)) });
    findings.push({ weight: 'attention', todo: { text, command: 'peer mail list' }, alert });
  }
  if (role === 'primary' && copies > 1 && backups.length === 1) {
    const text = `${shown} is to be kept by two friends (copies = 2), and only ${visible(backups[0] ?? '')} keeps mail for it: mail is taken with one copy.`;
    findings.push({ weight: 'attention', todo: { text, command: 'peer friends' } });
  }
  if (isEnded) {
    const text = `${count(messages, 'message')} for ${shown} ${messages === 1 ? 'is' : 'are'} still here, though this box keeps no mail for ${visible(owner)} any more: no other friend has taken ${messages === 1 ? 'it' : 'them'} yet.`;
    findings.push({ weight: 'attention', todo: { text, command: 'peer mail list --here' } });
  }
  return findings;
}
