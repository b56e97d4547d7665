import type { Identity } from './identity.ts';
import type { RecordStore } from './record-store.ts';

/** Whose box is whose, by what the circle knows now. */
export interface PeerNames {
  ownerOf(peer: string): string | undefined;
  /** What this box calls whoever has a box, also after he was removed; our own name for ours. */
  ofPeer: (peer: string) => string;
  ofOwner: (ownerId: string) => string;
  /** The same, with the box's own name where its owner has several. */
  ofBox: (peer: string) => string;
  /** Boxes that take mail for their owner. */
  mailBoxesOf: (ownerId: string) => string[];
  friends: () => string[];
}

export function peerNames(identity: Identity, records: RecordStore, ownName: () => string): PeerNames {
  const roster = () => records.knowledge().roster;
  /** Our own name, unless a friend goes by it, or we have several boxes: then the one under which the circle knows us. */
  const own = (): string => {
    const { members } = roster();
    const taken = [...members.values()].some(
      (one) => one.ownerId !== identity.ownerId && one.name === ownName(),
    );
    const mine = members.get(identity.ownerId);
    return mine !== undefined && (taken || mine.boxes.length > 1) ? mine.name : ownName();
  };
  const ofOwner = (ownerId: string): string =>
    ownerId === identity.ownerId ? own() : (records.knowledge().names.get(ownerId) ?? 'a stranger');
  const ofPeer = (peer: string): string =>
    peer === identity.box.peer ? own() : ofOwner(roster().everOwnerOf.get(peer) ?? '');
  return {
    ownerOf: (peer) => roster().ownerOf.get(peer),
    ofPeer,
    ofBox: (peer) => {
      const boxes = roster().members.get(roster().ownerOf.get(peer) ?? '')?.boxes ?? [];
      const box = boxes.find((one) => one.peer === peer);
      return box === undefined || boxes.length === 1 ? ofPeer(peer) : `${ofPeer(peer)} (${box.name})`;
    },
    ofOwner,
    mailBoxesOf: (ownerId) =>
      (roster().members.get(ownerId)?.boxes ?? [])
        .filter((box) => box.roles.includes('mail'))
        .map((box) => box.peer),
    friends: () =>
      [...roster().members.values()]
        .filter((member) => member.ownerId !== identity.ownerId)
        .map((member) => member.name),
  };
}
