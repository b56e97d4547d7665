/** A fault to be planted: one place in one file, and the run that has to find it. */
export interface Mutant {
  name: string;
  /** What is wrong then, for the table. */
  what: string;
  file: string;
  /** Stands in the file exactly once. */
  from: string;
  to: string;
  boxes?: number;
  days?: number;
  seed?: number;
}

/** The run that looks for a fault, unless it needs another. */
export const runOf = ({
  boxes = 5,
  days = 20,
  seed = 1,
}: Partial<Mutant>): { boxes: number; days: number; seed: number } => ({
  boxes,
  days,
  seed,
});

const liveness: Mutant[] = [
  {
    name: 'quorum-of-one',
    what: 'one vote makes a verdict',
    file: 'packages/liveness/src/limits.ts',
    from: 'networksNeeded = 2',
    to: 'networksNeeded = 1',
  },
  {
    name: 'own-line-detection-off',
    what: 'a box that hears too few judges all the same',
    file: 'packages/liveness/src/verdict.ts',
    from: 'if (heard.length === 0) return false;',
    to: 'if (heard.length >= 0) return true;',
    days: 60,
    seed: 3,
  },
  {
    name: 'votes-of-the-silent',
    what: 'votes of whoever is not heard himself count',
    file: 'packages/liveness/src/view.ts',
    from: "(voter === view.self || view.friends.get(voter)?.state === 'up'),",
    to: '(voter === view.self || view.friends.has(voter)),',
    days: 60,
    seed: 4,
  },
  {
    name: 'wrong-instant-after-a-jump',
    what: 'time by which the clock was set counts as silence',
    file: 'packages/liveness/src/step.ts',
    from: 'clockAtMs: Math.min(nowMs, friend.clockAtMs + gapMs),',
    to: 'clockAtMs: friend.clockAtMs,',
  },
  {
    name: 'no-restart-on-return',
    what: 'a box back from its own outage goes on counting the silences of then',
    file: 'packages/liveness/src/step.ts',
    from: 'if (!view.frozen || frozen) return { ...view, frozen };',
    to: 'if (!view.frozen || frozen || view.frozen) return { ...view, frozen };',
  },
  {
    name: 'claims-ignored',
    what: 'nobody is believed who says that he hears the silent one',
    file: 'packages/liveness/src/verdict.ts',
    from: 'if (!heardByHim.has(friend.peer) || nowMs',
    to: 'if (heardByHim.size >= 0 || nowMs',
    boxes: 7,
    days: 40,
  },
  {
    name: 'vote-never-taken-back',
    what: 'a vote stands although the friend is heard again',
    file: 'packages/liveness/src/step.ts',
    from: 'const due = !silent || (',
    to: 'const due = silent && (',
  },
  {
    name: 'silence-of-two-minutes',
    what: 'a friend is suspect after two minutes only',
    file: 'packages/liveness/src/limits.ts',
    from: 'suspectAfterMs = 30_000',
    to: 'suspectAfterMs = 120_000',
  },
];

const mesh: Mutant[] = [
  {
    name: 'digest-mismatch-ignored',
    what: 'a friend who knows other records is not asked for them',
    file: 'packages/mesh/src/sync.ts',
    from: 'if (!state.beats) return [state, []];\n  const moved',
    to: 'if (state.exchangeAtMs >= 0) return [state, []];\n  const moved',
  },
  {
    name: 'beats-wait-for-the-old-clock',
    what: 'a clock that was set back stops the beats until its old time comes',
    file: 'packages/mesh/src/sync.ts',
    from: 'return nowMs < atMs && atMs - nowMs <= furthestMs;',
    to: 'return nowMs < atMs && furthestMs > 0;',
    days: 120,
  },
  {
    name: 'older-record-accepted',
    what: 'a record gives way to an older one',
    file: 'packages/mesh/src/fact-log.ts',
    from: "return order > 0 ? 'new' : 'older';",
    to: "return order !== 0 ? 'new' : 'older';",
  },
  {
    name: 'equivocation-accepted',
    what: 'a second word under the same number replaces the first',
    file: 'packages/mesh/src/fact-log.ts',
    from: "if (order === 0) return 'equivocation';",
    to: "if (order === 0) return 'new';",
  },
  {
    name: 'said-before-synced',
    what: 'a record of our own is sent before it is on the disk',
    file: 'test/sim/box/records.ts',
    from: 'disk.write(rowsOf(taken.fact, []), (kept) => {',
    to: 'remember(taken, []); options.changed(taken, true); disk.write(rowsOf(taken.fact, []), (kept) => {',
    days: 120,
  },
];

const trust: Mutant[] = [
  {
    name: 'stranger-may-vote',
    what: 'a vote counts whoever signed it',
    file: 'packages/agent/src/record-judgement.ts',
    from: "case 'takeover':\n      return mayIf(owner !== undefined);",
    to: "case 'takeover':\n      return mayIf(owner !== undefined || kind === 'vote');",
  },
  {
    name: 'anybody-signs-zones',
    what: 'any member signs versions of any zone',
    file: 'packages/agent/src/known-records.ts',
    from: 'owner?.ownerId === version.owner &&',
    to: "owner?.ownerId !== '' && owner !== undefined &&",
  },
  {
    name: 'removal-undone-by-re-add',
    what: 'a second member record brings a removed member back',
    file: 'packages/trust/src/roster.ts',
    from: 'for (const ownerId of removed.keys()) {\n    for',
    to: 'for (const ownerId of removed.keys()) {\n    if (waiting.filter((one) => toId(one.ownerRecord.hash) === ownerId).length > 1) continue;\n    for',
  },
  {
    name: 'removal-by-two-ignored',
    what: 'two members who remove a third change nothing',
    file: 'packages/trust/src/roster.ts',
    from: 'signers.size >= 2;',
    to: 'signers.size >= 9;',
  },
  {
    name: 'invite-proof-unchecked',
    what: 'whoever admits may make up that somebody redeemed an invite',
    file: 'packages/agent/src/record-judgement.ts',
    from: '} else if (!hold || !isHis',
    to: '} else if (!isHis',
  },
];

const dns: Mutant[] = [
  {
    name: 'serial-not-raised',
    what: 'changed content goes out under the old serial',
    file: 'packages/dns/src/primary.ts',
    from: 'withSerial(zone, addToSerial(last.serial, 1))',
    to: 'withSerial(zone, addToSerial(last.serial, 0))',
  },
  {
    name: 'serial-of-the-file',
    what: 'a serial that was set back in the file is served',
    file: 'packages/dns/src/primary.ts',
    from: 'const raised = last === undefined || isNewerSerial(zone.serial, last.serial) === true;',
    to: 'const raised = last === undefined || isNewerSerial(zone.serial, last.serial) !== undefined;',
  },
  {
    name: 'content-unchecked',
    what: 'what a friend delivers is not held against its hash',
    file: 'packages/dns/src/zone-body.ts',
    from: 'if (!equalBytes(sha256(body), header.contentHash))',
    to: 'if (sha256(body).length === 0)',
    days: 60,
  },
  {
    name: 'term-by-the-owners-clock',
    what: 'how long a copy is served goes by the date in it, though that lies in the future',
    file: 'packages/dns/src/secondary.ts',
    from: 'Math.max(zone.freshUntilMs, Math.min(header.atMs, nowMs) + header.expiresAfterMs)',
    to: 'Math.max(zone.freshUntilMs, Math.max(header.atMs, nowMs) + header.expiresAfterMs)',
    boxes: 8,
    days: 4,
    seed: 9,
  },
  {
    name: 'served-before-saved',
    what: 'a version is served first and stored then',
    file: 'packages/dns/src/secondary.ts',
    from: "    { kind: 'save', header, freshUntilMs },\n    { kind: 'serve', header },\n  ];\n  return [next, [...kept, ...more]];",
    to: "    { kind: 'serve', header },\n    { kind: 'save', header, freshUntilMs },\n  ];\n  return [next, [...kept, ...more]];",
  },
];

const mail: Mutant[] = [
  {
    name: 'ack-before-sync',
    what: 'a friend answers 250 before the message is on the disk',
    file: 'test/sim/box/held.ts',
    from: 'disk.append(record, (id) => {',
    to: 'kept(true);\n      disk.append(record, (id) => {',
    days: 120,
  },
  {
    name: 'dedupe-off',
    what: 'the owner does not know again what he has',
    file: 'test/sim/box/inbox.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a piece of source
    from: 'boxOf().disk.rows.get(`tag/${tag}`);',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a piece of source
    to: 'boxOf().disk.rows.get(`tag/of ${tag}`);',
    days: 60,
  },
  {
    name: 'interrupted-is-deleted',
    what: 'a friend deletes what he was handing over when the stream broke',
    file: 'packages/mail/src/spool.ts',
    from: "case 'interrupted':\n      return [{ ...message, state: 'held' }, []];",
    to: "case 'interrupted':\n      return [undefined, [{ kind: 'remove', id: message.id }]];",
    days: 60,
  },
  {
    name: 'no-answer-is-delivered',
    what: 'a mail server that does not answer counts as one that took the message',
    file: 'packages/mail/src/spool.ts',
    from: "const outcome = recipient.state === 'waiting' ? input.outcomes.get(recipient.address) : undefined;",
    to: "const outcome = recipient.state === 'waiting' ? (input.outcomes.get(recipient.address) ?? 'delivered') : undefined;",
  },
];

const takeovers: Mutant[] = [
  {
    name: 'two-swap-for-all',
    what: 'two members are enough for a takeover in any circle',
    file: 'packages/trust/src/swap-quorum.ts',
    from: 'return Math.max(2, Math.floor(otherMembers / 2) + 1);',
    to: 'return Math.min(2, Math.floor(otherMembers / 2) + 1);',
    boxes: 8,
    seed: 4,
  },
  {
    name: 'standby-untried',
    what: 'a name is led to a standby that does not answer either',
    file: 'packages/liveness/src/takeover.ts',
    from: 'if (standby.ok !== true || !isFresh(standby, nowMs)) return false;',
    to: 'if (primary.ok === standby.ok && !isFresh(primary, nowMs)) return false;',
    seed: 4,
    days: 60,
  },
  {
    name: 'swap-after-a-minute',
    what: 'friends wait a third of the time that the owner set',
    file: 'packages/liveness/src/takeover.ts',
    from: 'primary.goodAtMs) >= afterMs;',
    to: 'primary.goodAtMs) >= afterMs / 3;',
    seed: 4,
    days: 30,
  },
];

/** Faults that somebody could make, one in each promise. */
export const mutants: readonly Mutant[] = [...liveness, ...mesh, ...trust, ...dns, ...mail, ...takeovers];
