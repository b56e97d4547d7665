import { compareBytes, toHex } from '@copain/core';
import type { Circle } from '../circle.ts';
import type { Checker, Report } from './checker.ts';

/**
 * No record gives way to an older one; nobody honest signs two things under one number; what was refused, or forged,
 * changes nothing; whoever was removed stays so; in the end everybody knows the same.
 */
export function checkRecords(run: Circle, broken: Report, forged: ReadonlySet<Uint8Array>): Checker {
  const counts = { records: 0, refused: 0, removed: 0 };
  /** Of each box the newest number under each key, and of each key and number what was said. */
  const newest = new Map<string, { epoch: number; sequence: number }>();
  const said = new Map<string, Uint8Array>();
  const outOf = new Map<number, Set<string>>();

  run.watch((box, seen) => {
    if (seen.kind === 'refused') {
      counts.refused += 1;
      const after = [box.records.log().facts.size, box.records.knowledge().records.size];
      const same = compareBytes(seen.before, seen.after) === 0 && after.join() === seen.size.join();
      if (!same)
        broken('refused-changes-nothing', `box ${box.number} refused a record (${seen.why}) and is another`);
      return;
    }
    if (seen.kind !== 'record') return;
    counts.records += 1;
    const { fact, record } = seen;
    if (forged.has(fact.envelope))
      broken('forged-is-refused', `box ${box.number} took a forged ${fact.kind}`);
    const place = `${box.number} ${fact.key}`;
    const before = newest.get(place);
    const isNewer =
      before === undefined ||
      fact.epoch > before.epoch ||
      (fact.epoch === before.epoch && fact.sequence > before.sequence);
    // A certificate that the circle's changes made void, and others make stand again, comes again: what is answered only rises.
    if (!isNewer && fact.sequence > 0 && fact.kind !== 'takeover')
      broken(
        'records-only-rise',
        `at box ${box.number} ${fact.key} went from ${before?.sequence} to ${fact.sequence}`,
      );
    newest.set(place, { epoch: fact.epoch, sequence: fact.sequence });
    const number = `${fact.key} ${fact.epoch} ${fact.sequence}`;
    const first = said.get(number);
    if (first === undefined) said.set(number, fact.hash);
    else if (compareBytes(first, fact.hash) !== 0)
      broken('one-number-one-word', `two records are ${number}: ${toHex(first)} and ${toHex(fact.hash)}`);
    if (record.kind === 'member' || record.kind === 'removal') noteRoster(box.number);
  });

  /** Who was a member here and is not any more must never be one again. */
  const noteRoster = (number: number): void => {
    const { members, everOwnerOf } = run.box(number).records.knowledge().roster;
    const out = outOf.get(number) ?? new Set<string>();
    outOf.set(number, out);
    for (const ownerId of everOwnerOf.values()) {
      if (!members.has(ownerId)) {
        if (!out.has(ownerId)) counts.removed += 1;
        out.add(ownerId);
      } else if (out.has(ownerId)) {
        out.delete(ownerId);
        broken('removed-stays-removed', `at box ${number} somebody who was removed is a member again`);
      }
    }
  };

  return {
    atEnd: () => {
      const inside = run.boxes.filter((box) => run.isIn(box) && box.on && run.friendsOf(box).length > 0);
      const [first] = inside;
      if (first === undefined) return;
      for (const gone of run.boxes.filter((box) => run.isRemoved(box)))
        for (const box of inside)
          if (box.records.knowledge().roster.members.has(gone.person.ownerId))
            broken('removed-is-out', `box ${gone.number} was removed, and is a member at box ${box.number}`);
      for (const box of inside) {
        if (compareBytes(box.records.log().digest, first.records.log().digest) !== 0)
          broken('circle-converges', `boxes ${first.number} and ${box.number} do not know the same`);
        const members = [...box.records.knowledge().roster.members.keys()].toSorted().join();
        if (members !== [...first.records.knowledge().roster.members.keys()].toSorted().join())
          broken('circle-converges', `boxes ${first.number} and ${box.number} have other members`);
      }
    },
    figures: () => counts,
  };
}
