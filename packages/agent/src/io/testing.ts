import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIdentity, type Identity, loadIdentity } from './identity.ts';
import type { Standing } from './standing.ts';

/** The standing of a box without friends: it signs at once. */
export const alone: Pick<Standing, 'maySign' | 'signable' | 'whenSignable'> = {
  maySign: () => true,
  signable: async () => {},
  whenSignable: () => {},
};

/** Makes people with keys of their own, each with a state folder on disk. */
export interface TestPeople {
  /** A state folder without anything in it. */
  folder: (name: string) => Promise<string>;
  person: (name: string) => Promise<Identity>;
  /** Every folder so far, oldest first. */
  folders: readonly string[];
  /** Removes them; to be called after all tests of a file. */
  remove: () => Promise<void>;
}

export function testPeople(): TestPeople {
  const folders: string[] = [];
  const folder = async (name: string): Promise<string> => {
    const stateDir = await mkdtemp(join(tmpdir(), `copain-${name}-`));
    folders.push(stateDir);
    return stateDir;
  };
  return {
    folder,
    person: async (name) => {
      const stateDir = await folder(name);
      await createIdentity({ stateDir, name });
      return await loadIdentity(stateDir);
    },
    folders,
    remove: async () => {
      for (const one of folders.splice(0)) await rm(one, { recursive: true, force: true });
    },
  };
}
