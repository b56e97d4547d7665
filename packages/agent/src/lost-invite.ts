import { type Knowledge, recordsOf } from './known-records.ts';

/** For the page and the log, when `lostItsInvite`. */
export const inviteTakenText =
  'Somebody else came in by the same invite at the same time, and the circle counts him alone. Ask for a new invite, then: peer join';

/**
 * Is this box, a member until now, out of the circle although nobody removed it? Two members who cannot hear each other
 * may each let somebody in by one code; once they hear of each other, one of the two admissions counts, everywhere the
 * same one (see `computeRoster`).
 */
export function lostItsInvite(knowledge: Knowledge, wasMember: boolean): boolean {
  const { roster, self } = knowledge;
  const isRemoved = recordsOf(knowledge, 'removal').some(({ signed }) => signed.record.ownerId === self);
  return wasMember && !roster.members.has(self) && !isRemoved;
}
