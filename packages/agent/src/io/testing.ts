import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256, signingKeyFromSeed } from '@copain/mesh/io';
import { encodeMemberRecord, inviteIdOf, joinProofBytes } from '@copain/trust';
import { createIdentity, type Identity, loadIdentity } from './identity.ts';
import type { RecordStore } from './record-store.ts';
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

/** Has `alice`, whose box has these records, admit somebody by an invite of his own. */
export async function admit(
  alice: Identity,
  records: RecordStore,
  who: Identity,
  name: string,
): Promise<void> {
  const inviteKey = await signingKeyFromSeed(sha256(new TextEncoder().encode(name)));
  const challenge = new Uint8Array(32).fill(8);
  const [circle, joiner, ownerId] = [alice.ownerId, who.box.peer, who.ownerId];
  const proof = joinProofBytes({ circle, ownerId, joiner, responder: alice.box.peer, challenge });
  const record = encodeMemberRecord({
    circle,
    name,
    owner: who.ownerEnvelope,
    inviteId: inviteIdOf(inviteKey.peer, sha256),
    redeemed: { key: inviteKey.peer, joiner, challenge, signature: await inviteKey.sign(proof) },
    atMs: 6,
  });
  await records.publish('member', record);
}
