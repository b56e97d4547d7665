import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { sealAgeFile } from './age-file.ts';

/** What the thread of `Sealing` is asked, and answers, several at once each way. It imports what needs no build only, so that it runs from source. */
export interface SealRequest {
  id: number;
  sealTo: readonly string[];
  content: Uint8Array;
}
export type SealAnswer =
  | { id: number; file: Uint8Array<ArrayBuffer>; hash: Uint8Array; why?: undefined }
  | { id: number; why: string };

parentPort?.on('message', (requests: readonly SealRequest[]) => {
  const answers = requests.map(answer);
  const files = answers.flatMap((one) => (one.why === undefined ? [one.file.buffer] : []));
  parentPort?.postMessage(answers, files);
});

function answer({ id, sealTo, content }: SealRequest): SealAnswer {
  try {
    const pieces = sealAgeFile(sealTo, content);
    const file = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of pieces) {
      file.set(piece, at);
      at += piece.length;
    }
    const hash = new Uint8Array(createHash('sha256').update(file).digest());
    return { id, file, hash };
  } catch (error) {
    return { id, why: String(error) };
  }
}
