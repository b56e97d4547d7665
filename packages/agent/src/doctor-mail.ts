import { humanDuration, visible } from '@copain/core';
import type { ReceiptFact } from '@copain/mail';
import { type ProbeStatusRow, probeChecks } from './doctor-mail-probe.ts';
import type { Check } from './doctor-net.ts';

/** One friend's box that signed for mail of this owner. */
export interface ReceiptRow {
  /** The friend, or one box of his where he has several. */
  name: string;
  /** What `peer mail receipts` takes. */
  friend: string;
  /** By his newest signed word. */
  accepted: number;
  /** Undefined where he was never asked. */
  fact: ReceiptFact | undefined;
  /** Why the last try to ask him went wrong. */
  failed: string | undefined;
  /** Is he out of the circle? */
  former: boolean;
}

/** What the checks of mail look at. */
export interface MailProof {
  nowMs: number;
  /** Domains whose mail this box owns. */
  domains: readonly string[];
  receipts: readonly ReceiptRow[];
  probes: readonly ProbeStatusRow[];
  /** After how many failures in a row a probe counts: 1 for somebody who had everybody asked just now. */
  probeFailures: number;
  /** Names of other boxes of this owner that take his mail: what arrived there is not known here. */
  otherBoxes: readonly string[];
}

/** Mail that waits at a friend for longer, though he answers, is not just on its way. */
const waitsAfterMs = 3_600_000;

/** Numbers spelled out before "and 7 more". */
const numbersShown = 8;

/** Is anything that friends accepted missing? In plain words, for `peer doctor mail` and the to-do list of the status. */
export function mailChecks(proof: MailProof): Check[] {
  if (proof.domains.length === 0)
    return [
      {
        id: 'mail.domains',
        ok: null,
        text: 'This box owns the mail of no domain.',
        hint: 'peer mail add DOMAIN --deliver HOST:PORT',
      },
    ];
  const none: Check = {
    id: 'mail.receipts',
    ok: null,
    text: 'No friend ever had to keep mail for you, so there is nothing to count.',
    hint: null,
  };
  return [
    ...proof.probes.flatMap((row) => probeChecks(row, proof)),
    ...(proof.receipts.length === 0 ? [none] : proof.receipts.flatMap((row) => receiptChecks(row, proof))),
  ];
}

/** A friend who is none any more hands nothing over: only he himself can bring what he has. */
function formerChecks({ name, friend, fact }: ReceiptRow): Check[] {
  const numbersOf = [
    ...(fact?.missing ?? []).map((number) => ({ from: number, to: number })),
    ...(fact?.gaps ?? []),
  ].sort((a, b) => a.from - b.from);
  const count = numbersOf.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  if (count === 0) return [];
  const ranges = numbersOf.map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`));
  const more = ranges.length > numbersShown ? ' and more' : '';
  const which = `${numberWord(numbersOf)} ${ranges.slice(0, numbersShown).join(', ')}${more}`;
  const text = `${visible(name)}, who is in the circle no more, accepted ${messages(count)} for you of which it is not known here that ${count === 1 ? 'it' : 'they'} came: ${which}. What he still has he can write to files (peer mail export --format age --out DIR), and you take it in: peer mail import DIR. When that is done, or he has nothing: peer mail receipts ${visible(friend)} --settle.`;
  const id = `mail.receipts.${visible(name)}.former`;
  return [{ id, ok: false, text, hint: `peer mail receipts ${visible(friend)}` }];
}

function receiptChecks(row: ReceiptRow, proof: MailProof): Check[] {
  if (row.former) return formerChecks(row);
  const { name, friend, accepted, fact, failed } = row;
  const who = visible(name);
  const id = `mail.receipts.${who}`;
  const hint = `peer mail receipts ${visible(friend)}`;
  const why = failed === undefined ? '' : ` (${visible(failed, 200)})`;
  if (fact === undefined) {
    const text = `${who} signed that he accepted ${messages(accepted)} for you, and could not be asked which yet${why}.`;
    return [{ id, ok: null, text, hint }];
  }
  const bad: Check[] = [];
  if (fact.missing.length > 0) {
    const elsewhere =
      proof.otherBoxes.length === 0
        ? ''
        : `; if they went to ${visible(proof.otherBoxes.join(', '), 200)}, that box knows`;
    const text = `${who} accepted ${messages(fact.missing.length)} for you that never arrived here, and no friend holds: ${numbers(fact.missing)}${elsewhere}.`;
    bad.push({ id: `${id}.missing`, ok: false, text, hint });
  }
  if (fact.gaps.length > 0) {
    const ranges = fact.gaps.map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`));
    const text = `${who} cannot tell which messages he accepted for you as ${numberWord(fact.gaps)} ${ranges.slice(0, numbersShown).join(', ')}, so whether they arrived is not known.`;
    bad.push({ id: `${id}.gap`, ok: false, text, hint });
  }
  if (fact.unfitAt !== undefined) {
    const text = `${who}'s list of what he accepted for you does not fit what he signed, at number ${fact.unfitAt}: his box was put back from an old copy, or the list was changed.`;
    bad.push({ id: `${id}.unfit`, ok: false, text, hint });
  }
  const waitedMs = fact.waitingSinceMs === undefined ? 0 : proof.nowMs - fact.waitingSinceMs;
  if (waitedMs > waitsAfterMs) {
    const text = `${messages(fact.waiting)} that ${who} accepted ${fact.waiting === 1 ? 'waits' : 'wait'} for ${humanDuration(waitedMs)} at a friend.`;
    bad.push({ id: `${id}.waiting`, ok: false, text, hint: 'peer mail flush' });
  }
  if (bad.length > 0) return bad;
  const looked = fact.through - fact.first + 1;
  const notLooked = Math.max(0, fact.accepted - fact.through);
  const arrived = looked - fact.waiting;
  const before =
    fact.first > 1 ? ` What he accepted before, up to number ${fact.first - 1}, was not counted here.` : '';
  if (looked <= 0 && notLooked === 0)
    return [{ id, ok: null, text: `${who}: nothing that can be counted yet.${before}`, hint: null }];
  const waits =
    fact.waiting === 0 ? '' : `, ${fact.waiting} ${fact.waiting === 1 ? 'waits' : 'wait'} at a friend`;
  const open =
    notLooked === 0 ? '' : `, ${notLooked} ${notLooked === 1 ? 'is' : 'are'} not asked for yet${why}`;
  const text = `${who} accepted ${messages(looked + notLooked)} for you: ${arrived} arrived${waits}${open}, none is missing.${before}`;
  return [{ id, ok: notLooked === 0 ? true : null, text, hint: null }];
}

const messages = (count: number): string => `${count} message${count === 1 ? '' : 's'}`;
const numberWord = (gaps: ReceiptFact['gaps']): string =>
  gaps.length === 1 && gaps[0]?.from === gaps[0]?.to ? 'number' : 'numbers';

function numbers(all: readonly number[]): string {
  const shown = all.slice(0, numbersShown).join(', ');
  const more = all.length > numbersShown ? ` and ${all.length - numbersShown} more` : '';
  return `${all.length === 1 ? 'number' : 'numbers'} ${shown}${more}`;
}
