import type { Random } from '@copain/core';
import { encodeZoneVersion, parseName } from '@copain/dns';
import { encodeRemovalRecord, encodeVoteRecord, peerIdFromKey } from '@copain/trust';
import type { Box } from '../box/box.ts';
import type { Circle } from '../circle.ts';
import { badSignature, seal } from '../world/envelopes.ts';
import { memberOf } from '../world/people.ts';
import { fetchable } from './forged-zone.ts';

const hourMs = 3_600_000;

/** A friend gone bad: now and then he gives somebody a record that must not be taken. Answers whose envelopes those are. */
export function forgeries(
  run: Circle,
  { random, untilMs, perDay }: { random: Random; untilMs: number; perDay: number },
): ReadonlySet<Uint8Array> {
  const forged = new Set<Uint8Array>();
  const { agenda } = run;
  const stranger = peerIdFromKey(new Uint8Array(32).fill(7));
  const pick = (): Box => run.box(Math.floor(random.fraction() * run.size));

  const make = (kind: number, liar: Box): Uint8Array | undefined => {
    const { peer } = liar.person;
    const { circle } = liar.records.knowledge();
    const other = run.box((liar.number + 1) % run.size).person;
    const vote = (about: string, sequence: number): Uint8Array =>
      encodeVoteRecord({ sequence, about, heardAtMs: 0, silent: true });
    switch (kind) {
      case 0:
        return seal('vote', stranger, vote(other.peer, 9));
      case 1:
        return seal('vote', peer, vote(peer, 9));
      case 2: {
        const known = other.owns && parseName(other.owns.origin);
        if (other.owns === undefined || known?.kind !== 'name') return undefined;
        return seal('zone', peer, encodeZoneVersion(fetchable(other.ownerId, known.name)));
      }
      case 3:
        return memberOf(
          circle,
          liar.person,
          { ...other, ownerRecord: other.ownerRecord, number: 99 },
          badSignature,
        );
      case 4:
        return seal(
          'removal',
          peer,
          encodeRemovalRecord({ circle: '00'.repeat(32), ownerId: other.ownerId, seen: [] }),
        );
      case 5: {
        // His own last word about somebody, said otherwise under the same number.
        const [record] = [...liar.records.knowledge().records.values()].filter(
          (one) => one.kind === 'vote' && one.signed.signer === peer,
        );
        if (record?.kind !== 'vote') return undefined;
        const { about, sequence } = record.signed.record;
        return seal('vote', peer, encodeVoteRecord({ sequence, about, heardAtMs: 1, silent: true }));
      }
      default:
        return Uint8Array.from({ length: 80 }, (_, i) => i);
    }
  };

  for (let atMs = hourMs; ; ) {
    atMs += (-Math.log(1 - random.fraction()) * 24 * hourMs) / perDay;
    if (atMs >= untilMs) break;
    const [kind, target] = [Math.floor(random.fraction() * 7), pick()];
    agenda.at(atMs, () => {
      const liar = run.box((target.number + 1 + Math.floor(run.size / 2)) % run.size);
      if (!target.on || !liar.on || target === liar || !run.talk(target.number, liar.number)) return;
      const envelope = make(kind, liar);
      // What is said twice can only be told from the first by whoever has that.
      const knowsFirst = target.records.log().digest.join() === liar.records.log().digest.join();
      if (envelope === undefined || (kind === 5 && !knowsFirst)) return;
      forged.add(envelope);
      run.received(target, liar, { envelope, reached: new Uint8Array() });
    });
  }
  return forged;
}
