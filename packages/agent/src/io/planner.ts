import { isoTime, toHex } from '@copain/core';
import type { RemovalRecord, Signed } from '@copain/trust';
import type { Knowledge, KnownRecord } from '../known-records.ts';
import { inviteTakenText, lostItsInvite } from '../lost-invite.ts';
import { saidNetwork } from '../network-of.ts';
import { ownerNews } from '../owner-news.ts';
import { baseOffer, type Plan, plan } from '../wiring.ts';
import type { Box } from './box.ts';
import type { MeshRoom } from './mesh-room.ts';
import type { OwnServices } from './own-services.ts';
import type { Watch } from './watch.ts';
import type { Zones } from './zones.ts';

/** Keeps every room at what the circle and the configuration ask for. */
export interface Planner {
  /** What was carried out last; before the first plan, what this box did before it stopped. */
  current(): Plan;
  /** Plans one at a time; what arrives meanwhile is planned once more. Resolves when it was carried out; never rejects. */
  replan(): Promise<void>;
  /** Runs between two plans, and rejects as `change` does. */
  between(change: () => Promise<void>): Promise<void>;
  /** Says who was removed, by whom, and whether it counts. */
  noteRemoval(removal: Signed<RemovalRecord>): void;
}

/** The rooms that a plan is given to. Read at each plan, since the mesh starts after the first. */
export interface PlannedRooms {
  watch: Watch;
  zones: Zones;
  mesh: MeshRoom;
  services: Pick<OwnServices, 'configure'>;
  isJoining(): boolean;
}

export function startPlanner(box: Box, rooms: () => PlannedRooms): Planner {
  const { identity, config, commitments, events, names, own, standing, knowledge, friendBoxes } = box;
  const self = identity.box.peer;
  // Whoever asks before the first plan was carried out must hear what this box did before it stopped: a domain that is
  // not in a plan is refused for good (550). What stands in the way of whom is told when the plan is carried out.
  let current: Plan = { ...plan(knowledge(), config(), identity, commitments), conflicts: [] };

  /** Who was in the circle before, so that only newcomers are news. */
  const greeted = new Set(knowledge().roster.members.keys());
  const owners = ownerNews(knowledge().roster);
  let isMember = greeted.has(identity.ownerId);
  const tellNews = (): void => {
    const { roster } = knowledge();
    // While this box joins, it has left its old circle and the records of the new one arrive one by one.
    if (!rooms().isJoining()) {
      const wasMember = isMember;
      isMember = roster.members.has(identity.ownerId);
      if (lostItsInvite(knowledge(), wasMember)) events.add('circle.invite-taken', inviteTakenText);
    }
    for (const { ownerId, name, admittedBy } of friendsIn(knowledge(), identity.ownerId)) {
      if (greeted.has(ownerId)) continue;
      greeted.add(ownerId);
      const by = admittedBy === undefined ? 'who founded it' : `admitted by ${names.ofOwner(admittedBy)}`;
      events.add('friend.joined', `${name} is in the circle, ${by}.`);
    }
    for (const { kind, text } of owners.next(roster, names.ofOwner, self)) events.add(kind, text);
  };

  /** What is promised for the first time is on disk before anybody is told. */
  const decide = async (): Promise<Plan> => {
    const news = friendsIn(knowledge(), identity.ownerId).flatMap((member) => {
      if (commitments.base.has(member.ownerId)) return [];
      const may = baseOffer(knowledge(), identity.ownerId, member);
      return may === undefined ? [] : [{ ownerId: member.ownerId, may }];
    });
    await commitments.add({ base: news, claims: [] });
    const next = plan(knowledge(), config(), identity, commitments);
    await commitments.add({ base: [], claims: next.newClaims });
    for (const { duty, name, ownerId } of next.conflicts) {
      if (current.conflicts.some((known) => known.duty.name === duty.name)) continue;
      const claim = `${names.ofOwner(duty.ownerId)} claims ${duty.name}, but ${name} is ${names.ofOwner(ownerId)}'s`;
      events.add('claim.refused', `${claim}: refused.`);
      box.refusals.count('meaning', { domain: duty.name, claimedBy: duty.ownerId }, 'a claim was refused');
    }
    return next;
  };

  /** Gives every room its part. */
  const apply = async (): Promise<void> => {
    tellNews();
    current = await decide();
    const { watch, zones, mesh, services } = rooms();
    standing.take({ kind: 'friends', friends: friendBoxes() });
    watch.take({
      kind: 'roster',
      self,
      selfNetwork: config().mesh.network ?? '',
      selfPlace: saidNetwork(knowledge(), self),
      friends: friendBoxes().map((peer) => ({
        peer,
        network: mesh.networkOf(peer),
        place: saidNetwork(knowledge(), peer),
      })),
    });
    const dnsDuties = current.duties.filter((duty) => duty.service === 'dns');
    zones.configure(
      config().zones,
      dnsDuties.map(({ ownerId, name }) => ({ ownerId, origin: name })),
    );
    mesh.refreshDialer();
    mesh.enforce();
    const { offers, grants } = current;
    await own.offers(offers);
    await own.grants(grants);
    await services.configure(
      config().services,
      config().zones.map(({ origin }) => origin),
    );
    box.changes.note();
  };

  let planning: Promise<void> = Promise.resolve();
  let planAgain = false;
  return {
    current: () => current,
    replan: () => {
      if (planAgain) return planning;
      planAgain = true;
      planning = planning.then(async () => {
        planAgain = false;
        await apply().catch(box.failed('planning'));
      });
      return planning;
    },
    between: async (change) => {
      const turn = planning.then(change);
      planning = turn.catch(() => undefined);
      await turn;
    },
    noteRemoval: ({ signer: by, record: { ownerId, atMs } }) => {
      const { roster, records } = knowledge();
      const on = atMs === undefined ? '' : ` on ${isoTime(atMs).slice(0, 10)}`;
      if (ownerId === identity.ownerId) {
        const who = names.ofPeer(by);
        const text = roster.members.has(ownerId)
          ? `${who} removed you from the circle for himself: his box gives this one nothing any more. For the others it counts when one more member does the same.`
          : `You were removed from the circle by ${who}${on}: friends give this box nothing any more.`;
        events.add(roster.members.has(ownerId) ? 'friend.removal-proposed' : 'friend.removed', text);
        return;
      }
      const admission = [...records.values()].find(
        (one) => one.kind === 'member' && toHex(one.signed.ownerRecord.hash) === ownerId,
      );
      const who = nameIn(admission);
      if (!roster.members.has(ownerId))
        events.add('friend.removed', `${who} was removed from the circle by ${names.ofPeer(by)}${on}.`);
      else {
        // A removal by one who did not admit him counts for its signer alone.
        const text = `${names.ofPeer(by)} removed ${who} for himself. It counts for the circle when one more member does.`;
        events.add('friend.removal-proposed', `${text} peer friends remove ${who}`);
      }
    },
  };
}

const friendsIn = ({ roster }: Knowledge, selfId: string) =>
  [...roster.members.values()].filter(({ ownerId }) => ownerId !== selfId);

const nameIn = (admission: KnownRecord | undefined): string =>
  admission?.kind === 'member' ? admission.signed.record.name : 'somebody';
