import type { Logger } from 'pino';

/** Hears of everything that was thrown where nobody catches it, for as long as it is not disposed of. */
export interface FaultCatcher extends Disposable {
  /** Calls back for each fault from now on, in the place of whoever was called back before. */
  listen(listener: (error: unknown) => void): void;
}

/**
 * Keeps the process alive through faults: each is logged and handed to the listener, which ends what ran (Node calls
 * memory unreliable after an uncaught exception, so nothing but what is on the disk may be used further). What the old
 * life still throws while it ends is logged like every other.
 */
export function catchFaults(log: Logger): FaultCatcher {
  let heard: (error: unknown) => void = () => undefined;
  const caught = (error: unknown): void => {
    log.error({ err: error }, 'a fault that nobody expected');
    heard(error);
  };
  process.on('uncaughtException', caught);
  process.on('unhandledRejection', caught);
  return {
    listen: (listener) => {
      heard = listener;
    },
    [Symbol.dispose]: () => {
      process.off('uncaughtException', caught);
      process.off('unhandledRejection', caught);
    },
  };
}
