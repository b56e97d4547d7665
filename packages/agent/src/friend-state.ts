import type { FriendFacts } from '@copain/liveness';
import type { Away, Member } from '@copain/trust';
import { shownState } from './away.ts';

type BoxState = FriendFacts['state'];

/** How a friend's boxes are ordered, when one stands for him. */
const bestFirst: readonly BoxState[] = ['up', 'slow', 'partial', 'suspect', 'away', 'down', 'unknown'];

/** The box that is best off, as a person is as well as that; undefined where he has none. */
export function bestBox(
  member: Pick<Member, 'boxes'>,
  liveness: ReadonlyMap<string, FriendFacts>,
): { box: Member['boxes'][number]; alive: FriendFacts | undefined } | undefined {
  const boxes = member.boxes.map((box) => ({ box, alive: liveness.get(box.peer) }));
  const place = ({ alive }: { alive: FriendFacts | undefined }): number =>
    bestFirst.indexOf(alive?.state ?? 'unknown');
  return boxes.toSorted((a, b) => place(a) - place(b))[0];
}

/** What is remembered of a friend's state: a silence that is still looked into counts as one; undefined: not known. */
export function rememberedState(
  state: BoxState,
  away: Away | undefined,
): 'up' | 'slow' | 'partial' | 'down' | 'away' | undefined {
  const shown = shownState(state, away);
  if (shown === 'unknown') return undefined;
  return shown === 'suspect' ? 'down' : shown;
}
