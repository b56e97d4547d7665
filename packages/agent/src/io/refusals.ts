import type { Clock } from '@copain/core';
import type { JoinRefusal, RecordKind } from '@copain/trust';
import type { Logger } from 'pino';

/**
 * The steps at which something may be turned away, in the order in which it meets them; each counts for itself. What
 * one step refuses, no later step sees, and nothing refused before `write` leaves a trace on disk.
 */
const refusalSteps = [
  'arrival',
  'gate',
  'protocol',
  'frame',
  'envelope',
  'signer',
  'form',
  'version',
  'time',
  'quota',
  'meaning',
  'write',
  'serve',
] as const;
type RefusalStep = (typeof refusalSteps)[number];

/** Counts what was refused at which step, and logs it without letting anybody fill the log. */
export interface Refusals {
  count(step: RefusalStep, fields: Record<string, unknown>, text: string): void;
  record: (kind: RecordKind, signer: string | undefined, why: string) => void;
  /** A guest with an invite was sent away. */
  join: (joiner: string, why: JoinRefusal) => void;
  totals(): { step: RefusalStep; count: number }[];
}

/** One line per step in this time; the next says how many were passed over. */
const lineEveryMs = 10_000;

/** The step that each reason belongs to for which the record store refuses a record. */
const stepOfReason: Readonly<Record<string, RefusalStep>> = {
  envelope: 'envelope',
  'wrong-signer': 'signer',
  'wrong-circle': 'signer',
  'bad-proof': 'signer',
  malformed: 'form',
  equivocation: 'version',
  superseded: 'version',
  older: 'version',
  'too-many': 'quota',
  'too-often': 'quota',
  full: 'quota',
  write: 'write',
};

/** The step that each reason belongs to for which a joiner is refused. */
const stepOfJoinRefusal: Readonly<Record<JoinRefusal, RefusalStep>> = {
  'unknown-invite': 'signer',
  'bad-proof': 'signer',
  'bad-owner': 'form',
  used: 'version',
  revoked: 'version',
  'already-member': 'version',
  expired: 'time',
};

export function countRefusals(clock: Clock, log: Logger): Refusals {
  const counts = new Map<RefusalStep, number>();
  const lines = new Map<RefusalStep, { atMs: number; passedOver: number }>();
  const count: Refusals['count'] = (step, fields, text) => {
    counts.set(step, (counts.get(step) ?? 0) + 1);
    const last = lines.get(step);
    const nowMs = clock.nowMs();
    if (last !== undefined && nowMs >= last.atMs && nowMs < last.atMs + lineEveryMs) {
      last.passedOver += 1;
      return;
    }
    log.warn({ step, ...fields, passedOver: last?.passedOver ?? 0 }, text);
    lines.set(step, { atMs: nowMs, passedOver: 0 });
  };
  return {
    count,
    record: (kind, signer, why) => {
      // An old record is what every exchange may bring; it is counted, and no reason to write a line.
      if (why === 'older') counts.set('version', (counts.get('version') ?? 0) + 1);
      else count(stepOfReason[why] ?? 'form', { kind, signer, why }, 'a record was refused');
    },
    join: (joiner, why) => count(stepOfJoinRefusal[why], { joiner, why }, 'a joiner was refused'),
    totals: () => refusalSteps.map((step) => ({ step, count: counts.get(step) ?? 0 })),
  };
}
