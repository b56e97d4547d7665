import { type Clock, fromUtf8, type Table, toHex, toUtf8 } from '@copain/core';
import {
  addFact,
  emptyFactLog,
  type Fact,
  type FactLog,
  fullBucket,
  judgeFact,
  type TokenBucket,
  takeToken,
  versionLimit,
  withoutFacts,
} from '@copain/mesh';
import { openEnvelope, type SigningKey, sha256, verifySignature } from '@copain/mesh/io';
import {
  type CanonicalValue,
  decodeCanonical,
  decodeOwnerRecord,
  decodeSwapRecord,
  encodeCanonical,
  joinProofBytes,
  keyProofBytes,
  type MemberRecord,
  type OwnerRecord,
  type RecordKind,
  readFields,
  recordKinds,
  type Signed,
  type SwapRecord,
} from '@copain/trust';
import {
  emptyKnowledge,
  type Knowledge,
  type KnownRecord,
  voidRecords,
  withCircle,
  withName,
  withoutRecords,
  withRecord,
} from '../known-records.ts';
import {
  type InnerProofs,
  judgeCircle,
  judgeRecord,
  judgeSigner,
  type RecordBody,
  readBody,
} from '../record-judgement.ts';
import { type RoomCall, routeRecord } from '../wiring.ts';

/** What became of a record that came in. */
type RecordOutcome = { kind: 'new'; fact: Fact } | { kind: 'known' } | { kind: 'refused'; why: string };

/** Everything this box knows of its circle: on disk, checked, and in memory. */
export interface RecordStore {
  knowledge(): Knowledge;
  log(): FactLog;
  /** When a record was last confirmed here (ms since 1970): at its arrival, or at the start of the agent. */
  heardAtMs(key: string): number | undefined;
  /** Takes a signed record in: checks all of it, stores it (synced), and only then lets the rooms hear of it. */
  offer(kind: RecordKind, envelope: Uint8Array): Promise<RecordOutcome>;
  /** Signs a record of ours and takes it in. */
  publish(kind: RecordKind, payload: Uint8Array): Promise<Fact>;
  /** Signs a record with another key than this box's own, an owner's, and takes it in. */
  publishWith(signer: SigningKey, kind: RecordKind, payload: Uint8Array): Promise<Fact>;
  /** The envelope of the newest record with this key. */
  envelope(key: string): Uint8Array | undefined;
  /** Calls a person by another name from now on, durably. Judged before: see `judgeRename`. */
  rename(ownerId: string, name: string): Promise<void>;
  /** Leaves the old circle for a new one, durably; our own numbered records stay. */
  moveTo(circle: string): Promise<void>;
}

const circleKey = 'circle';
const factPrefix = 'fact/';
const namePrefix = 'name/';

/**
 * Opens the records of this box. Each is checked again as if it had just arrived; one that fails is left out and
 * counted, since friends will bring it again.
 */
export async function openRecordStore(options: {
  table: Table;
  clock: Clock;
  key: SigningKey;
  ownerId: string;
  onChange(calls: readonly RoomCall[], record: KnownRecord, fact: Fact): void;
  events: {
    refused: (kind: RecordKind, signer: string | undefined, why: string) => void;
    damaged(key: string): void;
  };
}): Promise<RecordStore> {
  const { table, clock, key, events } = options;
  const stored = await table.get(circleKey);
  const names = new Map<string, string>();
  for await (const [nameKey, value] of table.entries(namePrefix)) {
    names.set(nameKey.slice(namePrefix.length), fromUtf8(value) ?? '');
  }
  let knowledge = emptyKnowledge(
    options.ownerId,
    stored === undefined ? options.ownerId : (fromUtf8(stored) ?? options.ownerId),
    names,
  );
  let log = emptyFactLog();
  const heardAt = new Map<string, number>();
  let queue: Promise<unknown> = Promise.resolve();

  /**
   * Judges and remembers in memory; the caller has the fact stored before anybody hears of it. One step after the other,
   * the cheap before the costly: what one refuses, the next does not see.
   */
  const consider = async (
    kind: RecordKind,
    envelope: Uint8Array,
    counted: typeof events.refused = events.refused,
  ): Promise<RecordOutcome & { record?: KnownRecord }> => {
    const opened = await openEnvelope(kind, envelope);
    const refuse = (why: string): RecordOutcome => {
      counted(kind, opened?.signer, why);
      return { kind: 'refused', why };
    };
    if (opened === undefined) return refuse('envelope');
    const sealed = { ...opened, kind };
    const wrongSigner = judgeSigner(knowledge, sealed);
    if (wrongSigner !== undefined) return refuse(wrongSigner);
    const body = readBody(sealed);
    if (body === undefined) return refuse('malformed');
    const wrongCircle = judgeCircle(knowledge, body);
    if (wrongCircle !== undefined) return refuse(wrongCircle);
    const proofs = await checkProofs(body, opened.signer);
    const judgement = judgeRecord(knowledge, { ...sealed, body, proofs }, sha256);
    if (judgement.kind === 'refused') return refuse(judgement.why);
    const fact: Fact = {
      kind,
      key: judgement.key,
      epoch: judgement.epoch,
      sequence: judgement.sequence,
      hash: opened.envelopeHash.slice(0, 8),
      envelope,
    };
    const outcome = judgeFact(log, fact);
    switch (outcome) {
      case 'known':
        heardAt.set(fact.key, clock.nowMs());
        return { kind: 'known' };
      case 'older':
        // A replay confirms nothing: what is known stays as old as it was.
        counted(kind, opened.signer, 'older');
        return { kind: 'known' };
      case 'equivocation':
      case 'full':
        return refuse(outcome);
      case 'new':
        return { kind: 'new', fact, record: judgement.record };
    }
  };

  const remember = (fact: Fact, record: KnownRecord): void => {
    log = addFact(log, fact);
    knowledge = withRecord(knowledge, fact.key, record);
    heardAt.set(fact.key, clock.nowMs());
  };

  const forget = (gone: readonly string[]): void => {
    if (gone.length === 0) return;
    log = withoutFacts(log, gone);
    knowledge = withoutRecords(knowledge, gone);
    for (const factKey of gone) heardAt.delete(factKey);
  };

  /** Whom this box calls what is kept, so that configuration goes on meaning the same people. */
  const keepNames = async (before: ReadonlyMap<string, string>): Promise<void> => {
    const news = [...knowledge.names].filter(([ownerId]) => !before.has(ownerId));
    if (news.length === 0) return;
    await table.write(news.map(([ownerId, name]) => ({ key: namePrefix + ownerId, value: toUtf8(name) })));
  };

  /** One record at a time, so that each is judged by what all earlier ones added up to. */
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work, work);
    queue = turn.catch(() => undefined);
    return await turn;
  };

  const offer = async (kind: RecordKind, envelope: Uint8Array): Promise<RecordOutcome> =>
    await inTurn(async () => {
      const outcome = await consider(kind, envelope);
      if (outcome.kind !== 'new' || outcome.record === undefined) return outcome;
      const { fact, record } = outcome;
      if (knowledge.records.has(fact.key) && !maySayMore(record.signed.signer)) {
        events.refused(kind, record.signed.signer, 'too-often');
        return { kind: 'refused', why: 'too-often' };
      }
      const before = knowledge.names;
      const gone = changesRoster(kind) ? voidRecords(withRecord(knowledge, fact.key, record), key.peer) : [];
      const rows = [
        { key: factPrefix + fact.key, value: encodeStored(fact) },
        ...gone.map((factKey) => ({ key: factPrefix + factKey, value: undefined })),
      ];
      try {
        await table.write(rows);
      } catch (error) {
        // Nothing of it counts: whoever sent it has it still, and it comes again with a later digest.
        events.refused(kind, record.signed.signer, 'write');
        throw error;
      }
      remember(fact, record);
      forget(gone);
      await keepNames(before);
      options.onChange(routeRecord(record), record, fact);
      return { kind: 'new', fact };
    });

  /** Our own word is not limited; that of others costs everybody a synced write, and us that of passing it on. */
  const versions = new Map<string, TokenBucket>();
  const maySayMore = (signer: string): boolean => {
    if (signer === key.peer) return true;
    const nowMs = clock.nowMs();
    const before = versions.get(signer) ?? fullBucket(versionLimit, nowMs);
    const { bucket, taken } = takeToken(before, versionLimit, nowMs);
    versions.set(signer, bucket);
    return taken;
  };

  const waiting: { key: string; kind: RecordKind; envelope: Uint8Array }[] = [];
  for await (const [storedKey, value] of table.entries(factPrefix)) {
    const fields = readFields(decodeCanonical(value, 131_072));
    const kind = recordKinds.find((one) => one === fields.text('kind', 16));
    const envelope = fields.bytes('envelope', 1, 131_072);
    if (fields.ok && kind !== undefined) waiting.push({ key: storedKey, kind, envelope });
    else events.damaged(storedKey);
  }
  // Members and their owner records first, since who may sign the others depends on them; removals last, since what
  // somebody signed while he was a member is judged as it was then. The keys of one kind are in order of epoch.
  const order: readonly RecordKind[] = ['member', 'owner'];
  const place = (kind: RecordKind): number =>
    order.includes(kind) ? order.indexOf(kind) : kind === 'removal' ? 3 : 2;
  waiting.sort((a, b) => place(a.kind) - place(b.kind) || (a.key < b.key ? -1 : 1));
  for (const { key: storedKey, kind, envelope } of waiting) {
    const outcome = await consider(kind, envelope, () => {});
    if (outcome.kind === 'new' && outcome.record !== undefined) remember(outcome.fact, outcome.record);
    else if (outcome.kind === 'refused') events.damaged(storedKey);
  }
  forget(voidRecords(knowledge, key.peer));

  const publishWith = async (signer: SigningKey, kind: RecordKind, payload: Uint8Array): Promise<Fact> => {
    const outcome = await offer(kind, await signer.seal(kind, payload));
    if (outcome.kind === 'new') return outcome.fact;
    throw new Error(
      `our own ${kind} record was not taken: ${outcome.kind === 'refused' ? outcome.why : 'known'}`,
    );
  };

  return {
    knowledge: () => knowledge,
    log: () => log,
    heardAtMs: (factKey) => heardAt.get(factKey),
    offer,
    publish: async (kind, payload) => await publishWith(key, kind, payload),
    publishWith,
    envelope: (factKey) => log.facts.get(factKey)?.envelope,
    rename: async (ownerId, name) => {
      await inTurn(async () => {
        await table.write([{ key: namePrefix + ownerId, value: toUtf8(name) }]);
        knowledge = withName(knowledge, ownerId, name);
      });
    },
    moveTo: async (circle) => {
      await inTurn(async () => {
        const next = withCircle(knowledge, circle, key.peer);
        const gone = [...log.facts.keys()].filter((factKey) => !next.records.has(factKey));
        await table.write([
          { key: circleKey, value: toUtf8(circle) },
          ...gone.map((factKey) => ({ key: factPrefix + factKey, value: undefined })),
        ]);
        const kept = [...log.facts.values()].filter((fact) => next.records.has(fact.key));
        log = kept.reduce(addFact, emptyFactLog());
        knowledge = next;
      });
    },
  };
}

/** Does a record of this kind change whose signature counts? */
const changesRoster = (kind: RecordKind): boolean =>
  kind === 'member' || kind === 'removal' || kind === 'owner';

function encodeStored(fact: Fact): Uint8Array {
  const value: CanonicalValue = { kind: fact.kind, envelope: fact.envelope };
  return encodeCanonical(value);
}

/** The owner record inside a member record: it has its own envelope, signed by the member's own key. */
async function openOwner(member: MemberRecord): Promise<Signed<OwnerRecord> | undefined> {
  const opened = await openEnvelope('owner', member.owner);
  const record = opened === undefined ? undefined : decodeOwnerRecord(opened.payload);
  if (opened === undefined || record === undefined) return undefined;
  return { signer: opened.signer, hash: opened.hash, record };
}

/** The signatures inside a record, each checked; of kinds that have none, nothing. */
async function checkProofs(body: RecordBody, signer: string): Promise<InnerProofs> {
  const none = { ownerRecord: undefined, hold: false, votes: [] };
  if (body.kind === 'owner') return { ...none, hold: await keysConsent(body.record) };
  if (body.kind === 'takeover') return { ...none, votes: await openVotes(body.record.votes) };
  const ownerRecord = body.kind === 'member' ? await openOwner(body.record) : undefined;
  const hold =
    body.kind === 'member' &&
    ownerRecord !== undefined &&
    (await wasRedeemed(body.record, ownerRecord, signer));
  return { ...none, ownerRecord, hold };
}

/** The votes of a certificate whose envelopes open: each is signed by the box that it names. */
async function openVotes(envelopes: readonly Uint8Array[]): Promise<Signed<SwapRecord>[]> {
  const opened = await Promise.all(envelopes.map(async (one) => await openEnvelope('swap', one)));
  return opened.flatMap((one) => {
    const record = one && decodeSwapRecord(one.payload);
    return one === undefined || record === undefined ? [] : [{ signer: one.signer, hash: one.hash, record }];
  });
}

/** Is every key proof of an owner record by the key it is about? */
async function keysConsent({ ownerId, proofs }: OwnerRecord): Promise<boolean> {
  if (ownerId === undefined) return false;
  const checks = proofs.map(async ({ peer, epoch, previous, signature }) => {
    const bytes = keyProofBytes({ ownerId, epoch, previous, key: peer });
    return await verifySignature(peer, bytes, signature);
  });
  return (await Promise.all(checks)).every((holds) => holds);
}

/** Did the invite's one-time key sign that this owner joined by `responder`? */
async function wasRedeemed(
  member: MemberRecord,
  owner: Signed<OwnerRecord>,
  responder: string,
): Promise<boolean> {
  const { redeemed, circle } = member;
  if (redeemed === undefined) return false;
  const { key, joiner, challenge, signature } = redeemed;
  const proof = joinProofBytes({ circle, ownerId: toHex(owner.hash), joiner, responder, challenge });
  return await verifySignature(key, proof, signature);
}
