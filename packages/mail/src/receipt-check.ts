import { toHex } from '@copain/core';
import { chainAfter } from './accepted-list.ts';
import { pendingNumbersMax, pendingTagsMax, receiptGapsMax } from './limits.ts';
import type { Sha256 } from './message-key.ts';

/** A number of a friend's receipt whose message is not here yet. */
export interface PendingNumber {
  number: number;
  /** One per recipient, hexadecimal. */
  tags: readonly string[];
  /** Does he hold it, by his own word? */
  held: boolean;
  sinceMs: number;
}

/** Numbers that the friend counted and of which he cannot say which messages they were. */
export interface ReceiptGap {
  from: number;
  to: number;
}

/** How far the receipts of one friend's box were held against what arrived here. */
export interface ReceiptCheck {
  /** Numbers before this were never looked at: he had them before this box began to. */
  first: number;
  /** Every number up to here was looked at. */
  through: number;
  /** The chain over all of them, 32 bytes. */
  chain: Uint8Array;
  pending: readonly PendingNumber[];
  gaps: readonly ReceiptGap[];
  /** The number at which his list and his signature said different things; undefined where they never did. */
  unfitAt: number | undefined;
}

/** A friend's signed word: how many messages he ever accepted for this owner. */
export interface SignedCount {
  messages: number;
  chain: Uint8Array;
}

export type ReceiptInput =
  /** What he counted after `through`; `here`: is every recipient's copy here, one for each item. */
  | {
      kind: 'page';
      from: number;
      before: Uint8Array;
      items: readonly { tags: readonly Uint8Array[]; held: boolean; here: boolean }[];
      signed: SignedCount;
    }
  /** Pending numbers that were looked at again. */
  | { kind: 'looked'; here: ReadonlySet<number>; held: ReadonlyMap<number, boolean> }
  /** The friend is none any more: what he signed for and nobody looked at will not be looked at. */
  | { kind: 'left'; messages: number }
  /** The owner has seen what is missing, and lets it go; of a former friend also what he said that he holds. */
  | { kind: 'settle'; former?: boolean };

/** Nothing looked at yet: the first page says where the friend's list begins. */
export function freshCheck(): ReceiptCheck {
  return { first: 0, through: 0, chain: new Uint8Array(32), pending: [], gaps: [], unfitAt: undefined };
}

/**
 * A box that lost its memory of what came begins with what is accepted from now on: what came before cannot be told from what
 * was lost.
 */
export function checkFrom({ messages, chain }: SignedCount): ReceiptCheck {
  return { ...freshCheck(), first: messages + 1, through: messages, chain };
}

/** How many more numbers may be looked at now; where none, those that are pending come first. */
export function hasRoomFor({ pending }: ReceiptCheck): number {
  const tagCount = pending.reduce((sum, { tags }) => sum + tags.length, 0);
  return tagCount >= pendingTagsMax ? 0 : Math.max(0, pendingNumbersMax - pending.length);
}

/**
 * Takes one step of holding a friend's receipts against what arrived. A list that does not lead to the signed chain is
 * noted, and followed on so that what comes after it can be looked at. The same check comes back where nothing changes. Called by `ReceiptChecks`.
 */
export function stepReceipt(
  check: ReceiptCheck,
  input: ReceiptInput,
  nowMs: number,
  sha256: Sha256,
): ReceiptCheck {
  switch (input.kind) {
    case 'page':
      return takePage(check, input, nowMs, sha256);
    case 'looked': {
      const pending = check.pending
        .filter(({ number }) => !input.here.has(number))
        .map((one) => ({ ...one, held: input.held.get(one.number) ?? one.held }));
      const isSame =
        pending.length === check.pending.length &&
        pending.every(({ held }, i) => held === check.pending[i]?.held);
      return isSame ? check : { ...check, pending };
    }
    case 'left':
      if (check.through >= input.messages) return check;
      return {
        ...check,
        first: check.first === 0 ? 1 : check.first,
        through: input.messages,
        gaps: withGap(check.gaps, check.through + 1, input.messages),
      };
    case 'settle': {
      const pending = input.former ? [] : check.pending.filter(({ held }) => held);
      if (pending.length === check.pending.length && check.gaps.length === 0 && check.unfitAt === undefined)
        return check;
      return { ...check, pending, gaps: [], unfitAt: undefined };
    }
  }
}

function takePage(
  check: ReceiptCheck,
  { from, before, items, signed }: ReceiptInput & { kind: 'page' },
  nowMs: number,
  sha256: Sha256,
): ReceiptCheck {
  const isNew = check.first === 0;
  // He knows none of them: all that he signed for beyond what was looked at is a gap.
  if (items.length === 0) {
    if (check.through >= signed.messages) return check;
    const through = signed.messages;
    return isNew
      ? { ...check, first: through + 1, through, chain: signed.chain }
      : { ...check, through, chain: signed.chain, gaps: withGap(check.gaps, check.through + 1, through) };
  }
  const skipped = from > check.through + 1;
  let { unfitAt } = check;
  if (!skipped && !sameBytes(before, check.chain)) unfitAt ??= from;
  const gaps = skipped && !isNew ? withGap(check.gaps, check.through + 1, from - 1) : check.gaps;
  const pending = [...check.pending];
  let chain = before;
  items.forEach(({ tags, held, here }, i) => {
    chain = chainAfter({ before: chain, tags: [...tags] }, sha256);
    if (!here) pending.push({ number: from + i, tags: tags.map(toHex), held, sinceMs: nowMs });
  });
  const through = from + items.length - 1;
  if (through === signed.messages && !sameBytes(chain, signed.chain)) {
    unfitAt ??= through;
    chain = signed.chain;
  }
  return { first: isNew ? from : check.first, through, chain, pending, gaps, unfitAt };
}

function withGap(gaps: readonly ReceiptGap[], from: number, to: number): ReceiptGap[] {
  const last = gaps.at(-1);
  return last !== undefined && (last.to === from - 1 || gaps.length >= receiptGapsMax)
    ? [...gaps.slice(0, -1), { from: last.from, to }]
    : [...gaps, { from, to }];
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

/** How one friend's receipts stand against what arrived, for people. */
export interface ReceiptFact {
  /** By his signed word. */
  accepted: number;
  /** Numbers from here on were looked at. */
  first: number;
  /** Looked at up to here. */
  through: number;
  /** Numbers whose message is held by him, or by another friend, and will come. */
  waiting: number;
  /** Of these the one that waits longest, looked at since. */
  waitingSinceMs: number | undefined;
  /** Numbers whose message is nowhere: it never came, and nobody says that he holds it. */
  missing: readonly number[];
  gaps: readonly ReceiptGap[];
  unfitAt: number | undefined;
}

/** What is to be said of one friend's box; `others`: the checks of all boxes, since another may hold the same message. */
export function receiptFact(
  check: ReceiptCheck,
  accepted: number,
  others: Iterable<ReceiptCheck>,
): ReceiptFact {
  const heldTags = new Set<string>();
  for (const { pending } of others)
    for (const { held, tags } of pending) if (held) for (const tag of tags) heldTags.add(tag);
  const missing = check.pending.filter(({ held, tags }) => !held && !tags.every((tag) => heldTags.has(tag)));
  const gone = new Set(missing.map(({ number }) => number));
  const waiting = check.pending.filter(({ number }) => !gone.has(number));
  const since = waiting.map(({ sinceMs }) => sinceMs);
  return {
    accepted: Math.max(accepted, check.through),
    first: check.first,
    through: check.through,
    waiting: waiting.length,
    waitingSinceMs: since.length === 0 ? undefined : Math.min(...since),
    missing: missing.map(({ number }) => number),
    gaps: check.gaps,
    unfitAt: check.unfitAt,
  };
}
