import type { Circle } from '../circle.ts';
import type { Checker, Report } from './checker.ts';

/**
 * What was answered with 250 reaches the owner's mailbox, and does so once, but for the named window: the mail server took
 * it, and the box stopped or could not write before that was noted. What a friend deletes the owner has.
 */
export function checkMail(run: Circle, broken: Report): Checker {
  const acked = new Map<string, number>();
  const delivered = new Map<string, number>();
  const windows = new Map<string, number>();
  const counts = {
    mailAcked: 0,
    mailHeld: 0,
    mailDelivered: 0,
    mailTwiceInWindow: 0,
    mailStrandedWithRemoved: 0,
  };
  const add = (to: Map<string, number>, message: string): number => {
    const count = (to.get(message) ?? 0) + 1;
    to.set(message, count);
    return count;
  };

  run.watch((_, seen, nowMs) => {
    if (seen.kind === 'mail-held') counts.mailHeld += 1;
    if (seen.kind === 'mail-window') add(windows, seen.message);
    if (seen.kind === 'mail-acked') {
      counts.mailAcked += 1;
      acked.set(seen.message, nowMs);
    }
    if (seen.kind === 'mail-mailbox') {
      counts.mailDelivered += 1;
      const count = add(delivered, seen.message);
      if (count <= 1) return;
      if (count <= 1 + (windows.get(seen.message) ?? 0)) counts.mailTwiceInWindow += 1;
      else broken('mail-arrives-once', `${seen.message} was delivered ${count} times`);
    }
    if (seen.kind === 'mail-removed') {
      const owner = run.box(Number(/^mail (\d+)-/.exec(seen.message)?.[1] ?? 0));
      const isThere = (delivered.get(seen.message) ?? 0) > 0 || owner.mail.inbox.has(seen.message);
      if (!isThere)
        broken('deleted-when-owner-has-it', `a friend deleted ${seen.message}, and its owner has it not`);
    }
  });

  return {
    atEnd: () => {
      // What a friend held when he was removed stays with him: nobody talks to him any more.
      const stranded = new Set(
        run.boxes.filter((box) => !run.isIn(box)).flatMap((box) => box.mail.held.names()),
      );
      counts.mailStrandedWithRemoved = stranded.size;
      for (const message of acked.keys())
        if ((delivered.get(message) ?? 0) === 0 && !stranded.has(message))
          broken('acked-mail-arrives', `${message} was answered with 250 and never arrived`);
      const held = run.boxes
        .filter((box) => run.isIn(box) && box.mail.held.waiting() > 0)
        .map(({ number }) => number);
      if (held.length > 0) broken('held-mail-drains', `boxes ${held.join(', ')} still hold mail`);
    },
    figures: () => counts,
  };
}
