import { awayOf, shownState } from '../away.ts';
import { friendText } from '../friend-event.ts';
import type { Box } from './box.ts';
import type { MailRoom } from './mail-room.ts';
import type { MeshRoom } from './mesh-room.ts';
import { startWatch, type Watch } from './watch.ts';

/** Watches the friends, says what was agreed about them, and tells mail who is there. */
export function startFriendsWatch(
  { identity, clock, config, records, stopping, standing, events, names, failed }: Box,
  rooms: { mesh(): MeshRoom | undefined; mail(): MailRoom },
): Watch {
  return startWatch({
    self: identity.box.peer,
    clock,
    records,
    lineCheck: () => config().line.check,
    stopping,
    dialSecond: (peer) => rooms.mesh()?.dialer.second(peer),
    signable: standing.signable,
    changed: ({ peer, from, to, confirmed, seenDownBy }) => {
      const witnesses = seenDownBy.map(names.ofPeer);
      const away = awayOf(records.knowledge(), peer, clock.nowMs());
      const shown = shownState(to, away);
      // Suspect, down, confirmed: of somebody who said that he is away it is one event.
      if (shown !== 'away' || from === 'up' || from === 'slow')
        events.add(
          `friend.${shown}`,
          friendText({ name: names.ofBox(peer), to: shown, confirmed, witnesses, away }),
        );
      const isHeard = to === 'up' || to === 'slow';
      if (!isHeard) rooms.mail().silent(peer);
      // Silence may end without a new stream; where there is none yet, its hello tells mail.
      else if (rooms.mesh()?.sync.peers().includes(peer) === true) rooms.mail().heard(peer);
    },
    lineChanged: (state) => {
      if (state === 'ok') events.add('line.ok', 'My own line works.');
      if (state === 'cut')
        events.add('line.cut', 'My own line is cut: I hear nobody, and judge nobody until it is back.');
    },
    failed: failed('liveness'),
  });
}
