import { addFact, emptyFactLog, type Fact, type FactLog, judgeFact, withoutFacts } from '@copain/mesh';
import type { RecordKind } from '@copain/trust';
import {
  emptyKnowledge,
  type Knowledge,
  type KnownRecord,
  voidRecords,
  withoutRecords,
  withRecord,
} from '../../../packages/agent/src/known-records.ts';
import { judgeCircle, judgeRecord, judgeSigner } from '../../../packages/agent/src/record-judgement.ts';
import type { Disk } from '../world/disk.ts';
import { open, seal, sha256 } from '../world/envelopes.ts';
import type { Person } from '../world/people.ts';

type Offered =
  | { kind: 'new'; fact: Fact; record: KnownRecord }
  | { kind: 'known' }
  | { kind: 'refused'; why: string };

/** One box's signed records: the twin of the agent's record store, on a simulated disk. */
export interface Records {
  knowledge(): Knowledge;
  log(): FactLog;
  /** Takes a record in: every step of its way, then the disk, then memory. */
  offer(envelope: Uint8Array): Offered;
  /** Signs a record of our own; it counts only once it is synced. `done`: it counts, or was not taken; not after a power cut. */
  publish(kind: RecordKind, payload: () => Uint8Array | undefined, done?: () => void): void;
  /** The box starts: what was being signed is not known to it. */
  started(): void;
  /** What a start makes of the rows on the disk. */
  load(): void;
}

export function records(options: {
  self: Person;
  circle: string;
  disk: Disk;
  /** A record counts from now on; `own` where this box signed it just now. */
  changed(taken: { fact: Fact; record: KnownRecord }, own: boolean): void;
}): Records {
  const { self, circle, disk } = options;
  const empty = (): Knowledge => emptyKnowledge(self.ownerId, circle);
  let knowledge = empty();
  let log = emptyFactLog();
  /** What we sign is signed one after the other, each with the number that follows from the one before. */
  let publishing: (() => void)[] = [];

  const consider = (envelope: Uint8Array): Offered => {
    const refused = (why: string): Offered => ({ kind: 'refused', why });
    const opened = open(envelope);
    if (opened === undefined) return refused('envelope');
    const { kind, signer, payload, hash, shortHash, body, proofs } = opened;
    const sealed = { kind, signer, payload, hash };
    const wrongSigner = judgeSigner(knowledge, sealed);
    if (wrongSigner !== undefined) return refused(wrongSigner);
    if (body === undefined) return refused('malformed');
    const wrongCircle = judgeCircle(knowledge, body);
    if (wrongCircle !== undefined) return refused(wrongCircle);
    const judgement = judgeRecord(knowledge, { ...sealed, body, proofs }, sha256);
    if (judgement.kind === 'refused') return refused(judgement.why);
    const { key, epoch, sequence, record } = judgement;
    const fact: Fact = { kind, key, epoch, sequence, hash: shortHash, envelope };
    const outcome = judgeFact(log, fact);
    if (outcome === 'new') return { kind: 'new', fact, record };
    return outcome === 'known' || outcome === 'older' ? { kind: 'known' } : refused(outcome);
  };

  const goneWith = ({ fact, record }: { fact: Fact; record: KnownRecord }): string[] =>
    record.kind === 'member' || record.kind === 'removal' || record.kind === 'owner'
      ? voidRecords(withRecord(knowledge, fact.key, record), self.peer)
      : [];
  const remember = ({ fact, record }: { fact: Fact; record: KnownRecord }, gone: readonly string[]): void => {
    log = addFact(log, fact);
    knowledge = withRecord(knowledge, fact.key, record);
    if (gone.length === 0) return;
    log = withoutFacts(log, gone);
    knowledge = withoutRecords(knowledge, gone);
  };
  const rowsOf = (fact: Fact, gone: readonly string[]): [string, unknown][] => [
    [`fact/${fact.key}`, fact.envelope],
    ...gone.map((key): [string, unknown] => [`fact/${key}`, undefined]),
  ];

  const next = (): void => publishing[0]?.();
  const publishNow = (kind: RecordKind, payload: () => Uint8Array | undefined, done?: () => void): void => {
    const finish = (): void => {
      publishing.shift();
      next();
      done?.();
    };
    const bytes = payload();
    const taken = bytes === undefined ? undefined : consider(seal(kind, self.peer, bytes));
    if (taken?.kind !== 'new') {
      finish();
      return;
    }
    disk.write(rowsOf(taken.fact, []), (kept) => {
      // What was judged may be judged otherwise by now.
      const again = kept ? consider(taken.fact.envelope) : undefined;
      if (again?.kind === 'new') {
        const gone = goneWith(again);
        disk.writeNow(rowsOf(again.fact, gone));
        remember(again, gone);
        options.changed(again, true);
      }
      finish();
    });
  };

  return {
    knowledge: () => knowledge,
    log: () => log,
    offer: (envelope) => {
      const taken = consider(envelope);
      if (taken.kind !== 'new') return taken;
      const gone = goneWith(taken);
      if (!disk.writeNow(rowsOf(taken.fact, gone))) return { kind: 'refused', why: 'write' };
      remember(taken, gone);
      options.changed(taken, false);
      return taken;
    },
    publish: (kind, payload, done) => {
      publishing.push(() => publishNow(kind, payload, done));
      if (publishing.length === 1) next();
    },
    started: () => {
      publishing = [];
    },
    load: () => {
      knowledge = empty();
      log = emptyFactLog();
      const place = (kind: string): number => ['member', 'owner', 'other', 'removal'].indexOf(kind);
      const stored = [...disk.rows]
        .filter(([key]) => key.startsWith('fact/'))
        .map(([key, envelope]) => {
          const kind = key.split('/')[1] ?? '';
          return { key, place: Math.max(place(kind), place(kind) < 0 ? 2 : 0), envelope };
        })
        .sort((a, b) => a.place - b.place || (a.key < b.key ? -1 : 1));
      for (const { envelope } of stored) {
        const taken = envelope instanceof Uint8Array ? consider(envelope) : undefined;
        if (taken?.kind === 'new') remember(taken, []);
      }
      const gone = voidRecords(knowledge, self.peer);
      log = withoutFacts(log, gone);
      knowledge = withoutRecords(knowledge, gone);
    },
  };
}
