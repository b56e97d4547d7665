import { isLoopback, isPrivate, parseHostPort } from '@copain/core';
import { type InviteText, maxInviteContacts } from '@copain/trust';

type Contacts = InviteText['contacts'];

/** A member whose box may let a joiner in. */
interface PossibleContact {
  peer: string;
  address: string | undefined;
  /** This box has dialled that one itself, so it is not behind a NAT that nobody passes. */
  wasDialled: boolean;
}

/**
 * Whom a code names: the inviter first, by whom the joiner knows who invites, then those who can be dialled for certain,
 * then others. Three at most, since a code is typed or read out.
 */
export function inviteContacts(
  inviter: { peer: string; address: string },
  others: readonly PossibleContact[],
): Contacts {
  const certain = others.toSorted((a, b) => Number(b.wasDialled) - Number(a.wasDialled));
  const named = certain.flatMap(({ peer, address }) => (address === undefined ? [] : [{ peer, address }]));
  return [inviter, ...named].slice(0, maxInviteContacts);
}

/** What the inviter should know before he hands the code on; undefined where it should do. */
export function inviteWarning(
  contacts: Contacts,
  known: {
    /** Can friends dial this box? undefined: not known. */
    reachable: boolean | undefined;
    wasDialled: (peer: string) => boolean;
    /** The code is for a further box of the inviter's, which only his own box lets in. */
    forOwnBox: boolean;
  },
): string | undefined {
  const [own, ...others] = contacts;
  const host = parseHostPort(own?.address ?? '')?.host ?? '';
  if (known.reachable === false && !others.some(({ peer }) => known.wasDialled(peer))) {
    const why = known.forOwnBox
      ? 'friends cannot dial this box, and only this one lets the new box in'
      : 'friends cannot dial this box, and no other member in the code is known to be dialable';
    const orElse = known.forOwnBox ? '' : ', or let a friend whose box can be dialled invite';
    return `the code will not work from outside: ${why}; forward the port (peer doctor net says which)${orElse}`;
  }
  return isPrivate(host) && !isLoopback(host)
    ? `the code names ${own?.address}, which only friends in your own network can dial; for others set [mesh] announce`
    : undefined;
}
