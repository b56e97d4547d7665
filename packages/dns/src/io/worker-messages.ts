import type { ServerIdentity } from '../server-identity.ts';

/** What the main thread tells a worker. Generations of zones are prepared first, and used when all have them. */
export type ToWorker =
  | { kind: 'open'; endpoint: string; host: string; port: number }
  | { kind: 'close'; endpoint: string }
  | {
      kind: 'zones';
      generation: number;
      /** Zones that this worker has not got yet, as `encodeZone` writes them, in memory that all threads see. */
      added: readonly { zoneId: number; origin: Uint8Array; body: SharedArrayBuffer }[];
      served: readonly { zoneId: number; expired: boolean; expiresAtMs: number | undefined }[];
      awaited: readonly string[];
    }
  | { kind: 'use'; generation: number }
  | { kind: 'secrets'; current: Uint8Array; previous: Uint8Array | undefined };

/** What a worker tells the main thread. */
export type FromWorker =
  | { kind: 'opened'; endpoint: string; cause: string | undefined }
  | { kind: 'ready'; generation: number }
  | { kind: 'for-main'; endpoint: string; query: Uint8Array; address: string; port: number }
  | { kind: 'failed'; cause: string };

/** What a worker is started with. */
export interface WorkerSetup {
  identity: ServerIdentity;
  secrets: { current: Uint8Array; previous: Uint8Array | undefined };
  answersPerSecond: number;
  limiterMemory: SharedArrayBuffer;
  countsMemory: SharedArrayBuffer;
}
