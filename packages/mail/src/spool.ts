import { retryDelayMs } from './retry-schedule.ts';

/**
 * A message at a friend: `held` until the owner asks for it, `offered` while a hand-over is on its way. It leaves by the
 * owner's acknowledgement, or when another friend answers for it.
 */
export interface HeldMessage {
  id: string;
  ownerId: string;
  domain: string;
  /** Of the record on disk. */
  sizeBytes: number;
  receivedAtMs: number;
  /** One per recipient, hexadecimal. */
  tags: readonly string[];
  state: 'held' | 'offered';
  failures: number;
  /** Not offered before this; 0 for at once. */
  notBeforeMs: number;
  /** Owner id of the friend who said that it is on his disk too; asked anew after each start, and when he comes back. */
  copyAt: string | undefined;
  /**
   * Owner id of the friend who is being asked to have it too, or, with `give`, to answer for it from now on: until he did,
   * nobody else may rely on the one here.
   */
  asking: { to: string; give: boolean } | undefined;
}

export type HeldInput =
  | { kind: 'offered' }
  /** The owner has it durably. */
  | { kind: 'acknowledged' }
  /** It cannot be read any more, and what is left of it is kept elsewhere. */
  | { kind: 'setAside' }
  /** The owner could not take it now. */
  | { kind: 'postponed'; fraction: number }
  /** The stream ended before an answer. */
  | { kind: 'interrupted' }
  | { kind: 'flush' }
  /** A friend is asked to have it too, or to answer for it. */
  | { kind: 'asked'; to: string; give: boolean }
  /** He has it durably; counts only while he is asked. Where it was to be given, he answers for it now. */
  | { kind: 'had'; by: string }
  /** He does not, or did not say. */
  | { kind: 'kept' }
  /** A friend who asked us to have it too has it, of course. */
  | { kind: 'told'; by: string }
  /** What anybody, or this friend, said about having it does not stand any more. */
  | { kind: 'doubted'; by?: string };

/** `remove` makes the record's end durable; nothing else may delete it. */
export type HeldEffect = { kind: 'remove'; id: string };

/** What becomes of a held message; undefined once it is gone. Called by the friend's drain, and by whoever copies it. */
export function stepHeld(
  message: HeldMessage,
  input: HeldInput,
  nowMs: number,
): [HeldMessage | undefined, HeldEffect[]] {
  switch (input.kind) {
    case 'offered':
      return [{ ...message, state: 'offered' }, []];
    case 'acknowledged':
    case 'setAside':
      return [undefined, [{ kind: 'remove', id: message.id }]];
    case 'postponed': {
      const failures = message.failures + 1;
      const notBeforeMs = nowMs + retryDelayMs(failures, input.fraction);
      return [{ ...message, state: 'held', failures, notBeforeMs }, []];
    }
    case 'interrupted':
      return [{ ...message, state: 'held' }, []];
    case 'flush':
      return [{ ...message, notBeforeMs: 0 }, []];
    case 'asked':
      return [{ ...message, asking: { to: input.to, give: input.give } }, []];
    case 'had':
      if (message.asking?.to !== input.by) return [message, []];
      return message.asking.give
        ? [undefined, [{ kind: 'remove', id: message.id }]]
        : [{ ...message, copyAt: input.by, asking: undefined }, []];
    case 'kept':
      return [{ ...message, asking: undefined }, []];
    case 'told':
      return [{ ...message, copyAt: input.by }, []];
    case 'doubted': {
      const isMeant = input.by === undefined || input.by === message.copyAt;
      return [isMeant ? { ...message, copyAt: undefined } : message, []];
    }
  }
}

/** What became of one recipient of a message that is the owner's already. */
export type RecipientState = 'waiting' | 'delivered' | 'quarantined';

export interface QueuedRecipient {
  address: string;
  /** Hexadecimal. */
  tag: string;
  state: RecipientState;
}

/** A message at its owner, on the way to the MTA. Quarantined ones stay until somebody decides. */
export interface QueuedMessage {
  id: string;
  domain: string;
  from: string;
  recipients: readonly QueuedRecipient[];
  sizeBytes: number;
  receivedAtMs: number;
  failures: number;
  notBeforeMs: number;
  /** What the MTA said last, '' before the first try. */
  reply: string;
}

/** The MTA's answer for one recipient. */
export type RecipientOutcome = 'delivered' | 'deferred' | 'refused';

export type QueuedInput =
  | {
      kind: 'attempted';
      outcomes: ReadonlyMap<string, RecipientOutcome>;
      reply: string;
      fraction: number;
    }
  | { kind: 'flush' }
  /** The owner wants what was refused to be tried again. */
  | { kind: 'release' }
  /** The owner does not want what was refused. */
  | { kind: 'discard' };

/**
 * In this order: `save` writes the row and what is now known of each tag, synced; `remove` then lets the record go.
 * `report` tells people.
 */
export type QueuedEffect =
  | { kind: 'save'; message: QueuedMessage; finished: readonly QueuedRecipient[] }
  | { kind: 'forget'; id: string; finished: readonly QueuedRecipient[] }
  | { kind: 'remove'; id: string }
  | { kind: 'report'; what: 'delivered' | 'deferred' | 'quarantined'; recipients: readonly string[] };

/**
 * What becomes of a queued message after a try. 2xx: that recipient is delivered, for good. 4xx, or no answer at all: it
 * waits and is tried again, for ever. 5xx: quarantined at the owner, never bounced, because a bounce from here would go to
 * a forged sender as often as to a real one.
 */
export function stepQueued(
  message: QueuedMessage,
  input: QueuedInput,
  nowMs: number,
): [QueuedMessage | undefined, QueuedEffect[]] {
  if (input.kind === 'flush') return [{ ...message, notBeforeMs: 0 }, []];
  if (input.kind === 'release') return releaseQuarantined(message);
  if (input.kind === 'discard') return discardQuarantined(message);
  const judged = message.recipients.map((recipient): QueuedRecipient => {
    const outcome = recipient.state === 'waiting' ? input.outcomes.get(recipient.address) : undefined;
    if (outcome === 'delivered') return { ...recipient, state: 'delivered' };
    if (outcome === 'refused') return { ...recipient, state: 'quarantined' };
    return recipient;
  });
  const finished = judged.filter(
    (recipient, i) => recipient.state !== 'waiting' && message.recipients[i]?.state === 'waiting',
  );
  const waiting = judged.filter(({ state }) => state === 'waiting');
  const failures = waiting.length > 0 ? message.failures + 1 : message.failures;
  const next: QueuedMessage = {
    ...message,
    recipients: judged,
    failures,
    reply: input.reply,
    notBeforeMs: waiting.length > 0 ? nowMs + retryDelayMs(failures, input.fraction) : 0,
  };
  const effects: QueuedEffect[] = [];
  const done = judged.every(({ state }) => state === 'delivered');
  if (done) effects.push({ kind: 'forget', id: message.id, finished }, { kind: 'remove', id: message.id });
  else if (finished.length > 0) effects.push({ kind: 'save', message: next, finished });
  for (const [what, state] of [
    ['delivered', 'delivered'],
    ['quarantined', 'quarantined'],
  ] as const) {
    const recipients = finished.filter((one) => one.state === state).map(({ address }) => address);
    if (recipients.length > 0) effects.push({ kind: 'report', what, recipients });
  }
  if (waiting.length > 0)
    effects.push({ kind: 'report', what: 'deferred', recipients: waiting.map(({ address }) => address) });
  return [done ? undefined : next, effects];
}

/** What was refused waits again; its tags are `queued` again before anybody tries. */
function releaseQuarantined(message: QueuedMessage): [QueuedMessage, QueuedEffect[]] {
  const isRefused = ({ state }: QueuedRecipient): boolean => state === 'quarantined';
  const recipients = message.recipients.map(
    (recipient): QueuedRecipient => (isRefused(recipient) ? { ...recipient, state: 'waiting' } : recipient),
  );
  const released = recipients.filter((_, i) => message.recipients[i]?.state === 'quarantined');
  const next = { ...message, recipients, failures: 0, notBeforeMs: 0 };
  return [next, released.length === 0 ? [] : [{ kind: 'save', message: next, finished: released }]];
}

/** Refused recipients leave the message, and the message goes with the last; the tags stay, so that no copy comes back. */
function discardQuarantined(message: QueuedMessage): [QueuedMessage | undefined, QueuedEffect[]] {
  const refused = message.recipients.filter(({ state }) => state === 'quarantined');
  const rest = message.recipients.filter(({ state }) => state !== 'quarantined');
  if (refused.length === 0) return [message, []];
  const next = { ...message, recipients: rest };
  if (isWaiting(next)) return [next, [{ kind: 'save', message: next, finished: refused }]];
  const { id } = message;
  return [
    undefined,
    [
      { kind: 'forget', id, finished: refused },
      { kind: 'remove', id },
    ],
  ];
}

/** Is anything of it still on the way to the MTA? */
export function isWaiting(message: QueuedMessage): boolean {
  return message.recipients.some(({ state }) => state === 'waiting');
}
