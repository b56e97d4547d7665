import type { Table } from '@copain/core';

/** What a person asked for that must be signed, and waits until it may be: kept over restarts. */
export interface SignedLater {
  add(what: LaterKind, subject: string): Promise<void>;
  /** What waits, in words for the status. */
  list(): string[];
  /** Does all that waits; what fails is told and not tried again, since it may make no sense any more. */
  work(): Promise<void>;
}

type LaterKind = 'remove' | 'revoke';

const laterPrefix = 'later/';

/** Opens the queue with what earlier runs left. `act` does one of them. */
export async function openSignedLater(options: {
  table: Table;
  act(what: LaterKind, subject: string): Promise<void>;
  done(text: string): void;
}): Promise<SignedLater> {
  const { table } = options;
  const waiting = new Set<string>();
  for await (const [key] of table.entries(laterPrefix)) waiting.add(key);
  const read = (key: string): { what: LaterKind; subject: string } => {
    const [, what = '', ...rest] = key.split('/');
    return { what: what === 'remove' ? 'remove' : 'revoke', subject: rest.join('/') };
  };
  const words = (key: string): string => {
    const { what, subject } = read(key);
    return what === 'remove' ? `the removal of ${subject}` : `the revocation of invite ${subject}`;
  };

  return {
    add: async (what, subject) => {
      const key = `${laterPrefix}${what}/${subject}`;
      await table.write([{ key, value: new Uint8Array() }]);
      waiting.add(key);
    },
    list: () => [...waiting].map(words),
    work: async () => {
      for (const key of waiting) {
        const { what, subject } = read(key);
        let outcome = 'is signed now';
        try {
          await options.act(what, subject);
        } catch (error) {
          outcome = `came to nothing: ${error instanceof Error ? error.message : 'unknown reason'}`;
        }
        await table.write([{ key, value: undefined }]);
        waiting.delete(key);
        options.done(`What waited, ${words(key)}, ${outcome}.`);
      }
    },
  };
}
