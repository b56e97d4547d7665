import type { Stream } from '@libp2p/interface';

/** A window is renewed once this share of it was used. */
const renewAtShare = 1 / 4;

/** What of @libp2p/yamux 8.0.3's stream this file knows; its declarations call some of it private. */
interface YamuxWindow {
  state: number;
  recvWindow: number;
  recvWindowCapacity: number;
  maxStreamWindowSize: number;
  sendWindowUpdate(): void;
}

/** States in which an update carries a flag (SYN, ACK) that the other side waits for. */
const flaggedStates = [0, 2];

/**
 * Has a yamux stream renew its receive window only when a quarter of it was used, as yamux's reference does at half.
 * js-libp2p's sends an update for every message, which costs a beat of 60 bytes two further packets: half of all that
 * an idle box sends. A stream of another make is left as it is. Call it before anything is read.
 */
export function renewWindowLazily(stream: Stream): void {
  if (!hasWindow(stream)) return;
  const window = stream;
  const renew = window.sendWindowUpdate.bind(window);
  window.sendWindowUpdate = () => {
    const used = window.recvWindow - window.recvWindowCapacity;
    if (flaggedStates.includes(window.state) || used >= window.recvWindow * renewAtShare) renew();
  };
}

/** yamux's first window, beyond which none grows by itself: whoever sends more than is read is held back soon. */
export const firstWindowBytes = 262_144;

/** Where what comes is used up here, and a fast line far away needs more under way. */
const widestWindowBytes = 1_048_576;

/** Lets the receive window of a yamux stream grow with the line. Call it before anything is read. */
export function letWindowGrow(stream: Stream): void {
  if (hasWindow(stream)) (stream as YamuxWindow).maxStreamWindowSize = widestWindowBytes;
}

function hasWindow(stream: unknown): stream is YamuxWindow {
  const known = stream as Partial<YamuxWindow>;
  const { state, recvWindow, recvWindowCapacity, maxStreamWindowSize, sendWindowUpdate } = known;
  return (
    [state, recvWindow, recvWindowCapacity, maxStreamWindowSize].every(
      (value) => typeof value === 'number',
    ) && typeof sendWindowUpdate === 'function'
  );
}
