import type { Roster } from '@copain/trust';

/** Tells what changed in the owner records: boxes that came and went, keys that were replaced. */
export interface OwnerNews {
  /** The news since the last call, one sentence each. `self`: this box, about which it is told too. */
  next(
    roster: Roster,
    nameOf: (ownerId: string) => string,
    self: string,
  ): { kind: 'box.added' | 'box.revoked' | 'key.changed'; text: string }[];
}

interface Seen {
  boxes: ReadonlyMap<string, string>;
  keys: string;
}

function pictureOf(roster: Roster): Map<string, Seen> {
  return new Map(
    [...roster.members].map(([ownerId, { owner }]) => [
      ownerId,
      {
        boxes: new Map(owner.record.boxes.map((box) => [box.peer, box.name])),
        keys: owner.record.keys.map((key) => key.peer).join(),
      },
    ]),
  );
}

/** What is known at the start is no news; nor is a member who was not one before. */
export function ownerNews(roster: Roster): OwnerNews {
  let known = pictureOf(roster);
  return {
    next: (now, nameOf, self) => {
      const before = known;
      known = pictureOf(now);
      return [...known].flatMap(([ownerId, { boxes, keys }]) => {
        const was = before.get(ownerId);
        if (was === undefined) return [];
        const name = nameOf(ownerId);
        const came = [...boxes].filter(([peer]) => !was.boxes.has(peer));
        const went = [...was.boxes].filter(([peer]) => !boxes.has(peer));
        return [
          ...came.map(([, box]) => ({
            kind: 'box.added' as const,
            text: `${name} has a further box, ${box}.`,
          })),
          ...went.map(([peer, box]) => ({
            kind: 'box.revoked' as const,
            text:
              peer === self
                ? 'This box was revoked by its owner: friends take nothing from it any more.'
                : `${name} revoked his box ${box}.`,
          })),
          ...(keys === was.keys ? [] : [{ kind: 'key.changed' as const, text: `${name} replaced a key.` }]),
        ];
      });
    },
  };
}
