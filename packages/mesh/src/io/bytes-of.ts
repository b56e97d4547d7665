import type { Stream } from '@libp2p/interface';
import { Uint8ArrayList } from 'uint8arraylist';

/** Bytes waiting to be read on one stream before the sender is held back; well under yamux's buffer limit of 4 MiB. */
const highWaterBytes = 256 * 1024;

/** What its reader gets at once. */
const handedOutBytes = 64 * 1024;

/**
 * The bytes of a stream with back-pressure, in pieces of at most `pieceBytes`. The sender is held back while `holdBytes`
 * wait; what he had sent before, a stream window, comes beside. Only the other side's FIN is a clean end; a connection that
 * went away while bytes were expected is an error, since a clean-looking end proves nothing about completeness.
 * `received` hears of bytes as they come, `handingOut` is called before each piece.
 */
export async function* bytesOf(
  stream: Stream,
  options: {
    received: (sizeBytes: number) => void;
    handingOut?: () => void;
    holdBytes?: number;
    pieceBytes?: number;
  },
): AsyncGenerator<Uint8ArrayList> {
  const { received, handingOut, holdBytes = highWaterBytes, pieceBytes = handedOutBytes } = options;
  const waiting = new Uint8ArrayList();
  let finished = stream.remoteWriteStatus === 'closed';
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const changed = (): void => {
    const waker = wake;
    wake = undefined;
    waker?.();
  };
  let resuming = false;
  // Never pause from within resume(): the stream would go on granting window. flow() checks again after it.
  const pauseIfFull = (): void => {
    if (waiting.byteLength >= holdBytes && !resuming && stream.readStatus === 'readable') stream.pause();
  };
  const onMessage = (event: { data: Uint8Array | Uint8ArrayList }): void => {
    waiting.append(event.data);
    received(event.data.byteLength);
    pauseIfFull();
    changed();
  };
  const onFinish = (): void => {
    finished = true;
    changed();
  };
  const onClose = (event: { error?: Error }): void => {
    failure ??= event.error ?? (finished ? undefined : new Error('connection lost'));
    finished = true;
    changed();
  };
  const flow = (): void => {
    if (stream.readStatus !== 'paused' || waiting.byteLength >= holdBytes / 2) return;
    resuming = true;
    try {
      stream.resume();
    } finally {
      resuming = false;
    }
    pauseIfFull();
  };
  const next = (): Uint8ArrayList | undefined => {
    if (waiting.byteLength === 0) return undefined;
    const piece = waiting.sublist(0, Math.min(pieceBytes, waiting.byteLength));
    waiting.consume(piece.byteLength);
    return piece;
  };
  stream.addEventListener('message', onMessage);
  stream.addEventListener('remoteCloseWrite', onFinish);
  stream.addEventListener('close', onClose);
  try {
    for (;;) {
      const chunk = next();
      if (chunk !== undefined) {
        flow();
        handingOut?.();
        yield chunk;
        continue;
      }
      if (failure !== undefined) throw failure;
      if (stream.status === 'reset' || stream.status === 'aborted')
        throw new Error(`stream ${stream.status}`);
      flow();
      if (waiting.byteLength > 0) continue;
      if ((finished || stream.remoteWriteStatus === 'closed') && stream.readBufferLength === 0) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    stream.removeEventListener('message', onMessage);
    stream.removeEventListener('remoteCloseWrite', onFinish);
    stream.removeEventListener('close', onClose);
  }
}
