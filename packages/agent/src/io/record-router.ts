import type { Fact } from '@copain/mesh';
import type { KnownRecord } from '../known-records.ts';
import type { RoomCall } from '../wiring.ts';
import type { Box } from './box.ts';
import type { MailProofs } from './mail-proof.ts';
import type { MeshRoom } from './mesh-room.ts';
import type { Planner } from './planner.ts';
import type { Takeovers } from './takeovers.ts';
import type { Watch } from './watch.ts';
import type { Zones } from './zones.ts';

/** What each new record sets in motion; which rooms it concerns is decided by the pure `routeRecord`. */
export function recordRouter(
  { identity, changes }: Box,
  rooms: {
    mesh(): MeshRoom | undefined;
    watch: Watch;
    zones: Zones;
    planner: Planner;
    takeovers(): Takeovers;
    mailProofs(): Pick<MailProofs, 'receiptCame'> | undefined;
  },
): (calls: readonly RoomCall[], record: KnownRecord, fact: Fact) => void {
  const { watch, zones, planner } = rooms;
  return (calls, record, fact) => {
    // A friend's record is passed on by whoever received it, since only the receiver knows whom it reached already.
    // Our owner's records are signed by a key of his, here or on another box of his; told twice they are heard once.
    const isOurs =
      record.signed.signer === identity.box.peer ||
      (record.kind === 'owner' && record.signed.record.ownerId === identity.ownerId);
    if (isOurs) rooms.mesh()?.sync.spread(fact, new Uint8Array(), undefined);
    for (const call of calls) {
      switch (call.kind) {
        case 'plan':
          // Whose votes count is another question when somebody came or went.
          rooms.takeovers().renew();
          if (record.kind === 'removal') planner.noteRemoval(record.signed);
          // What becomes known before the mesh is up is in the first plan.
          if (rooms.mesh() !== undefined) void planner.replan();
          break;
        case 'addresses':
          rooms.mesh()?.refreshDialer();
          // Who watches whom in a large circle hangs on where boxes say that they are.
          if (rooms.mesh() !== undefined) void planner.replan();
          break;
        case 'zone-announced':
          zones.announced(call.ownerId, call.origin);
          break;
        case 'zone-holders':
          zones.holdersChanged();
          break;
        case 'takeovers':
          rooms.takeovers().renew();
          break;
        case 'vote':
          takeVote(watch, record);
          break;
        case 'receipt':
          rooms.mailProofs()?.receiptCame();
          break;
        case 'services':
          // Whoever shows or judges services reads what everybody said; nobody needs to be told.
          break;
      }
    }
    changes.note();
  };
}

/** Has the watch hear what this record says of a silence, where it is a vote. */
export function takeVote(watch: Watch, record: KnownRecord): void {
  if (record.kind !== 'vote') return;
  const { about, heardAtMs, silent, sequence } = record.signed.record;
  watch.take({ kind: 'vote', from: record.signed.signer, about, heardAtMs, silent, sequence });
}
