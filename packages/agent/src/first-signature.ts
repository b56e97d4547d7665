/**
 * May this box sign something new? After a start it first asks two friends (the one it has, if it has one) for the
 * highest that it ever signed: else a box put back from an old copy would give numbers a second time to something else.
 */
export interface FirstSignature {
  friends: readonly string[];
  /** Friends who told all of our records that they know, in this run. */
  answered: ReadonlySet<string>;
  /** Friends who know of a run that we do not: without their answer nothing is signed while they are there. */
  doubts: ReadonlySet<string>;
  firstAnswerAtMs: number | undefined;
  isConfirmed: boolean;
}

export type SignatureInput =
  | { kind: 'friends'; friends: readonly string[] }
  | { kind: 'answered'; friend: string }
  | { kind: 'doubt'; friend: string }
  | { kind: 'tick' };

/** Friends who are asked before the first signature. */
const askedFriends = 2;

/**
 * Where one friend has answered and no second one does for so long, he suffices. Three dials are tried within it; every
 * restart beside a friend who is down waits so long before it signs.
 */
export const secondAnswerWaitMs = 10_000;

/** At the start. A box without friends has nobody who could know more of it than itself, and signs at once. */
export function startFirstSignature(friends: readonly string[]): FirstSignature {
  return {
    friends,
    answered: new Set(),
    doubts: new Set(),
    firstAnswerAtMs: undefined,
    isConfirmed: friends.length === 0,
  };
}

/**
 * One step; `isConfirmed` says whether the box may sign. It stays so for the rest of the run, also when friends come
 * and go, unless a friend turns out to know of a later run.
 */
export function stepFirstSignature(
  state: FirstSignature,
  input: SignatureInput,
  nowMs: number,
): FirstSignature {
  switch (input.kind) {
    case 'friends':
      return settle({ ...state, friends: input.friends }, nowMs);
    case 'answered': {
      const answered = new Set(state.answered).add(input.friend);
      const doubts = new Set([...state.doubts].filter((friend) => friend !== input.friend));
      return settle({ ...state, answered, doubts, firstAnswerAtMs: state.firstAnswerAtMs ?? nowMs }, nowMs);
    }
    case 'doubt': {
      const answered = new Set([...state.answered].filter((friend) => friend !== input.friend));
      const doubts = new Set(state.doubts).add(input.friend);
      // Whoever confirmed this box before knew less than this friend: the wait for him begins now.
      const firstAnswerAtMs = answered.size > 0 ? nowMs : undefined;
      return { ...state, answered, doubts, firstAnswerAtMs, isConfirmed: false };
    }
    case 'tick':
      return settle(state, nowMs);
  }
}

function settle(state: FirstSignature, nowMs: number): FirstSignature {
  if (state.isConfirmed) return state;
  const count = state.friends.filter((friend) => state.answered.has(friend)).length;
  const doubted = state.friends.some((friend) => state.doubts.has(friend));
  const enough = !doubted && count >= Math.min(askedFriends, state.friends.length);
  const { firstAnswerAtMs } = state;
  const waited = firstAnswerAtMs !== undefined && nowMs - firstAnswerAtMs >= secondAnswerWaitMs;
  const isConfirmed = enough || (count > 0 && waited);
  return isConfirmed ? { ...state, isConfirmed, doubts: new Set() } : state;
}
