import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, CommandError, ExitCode, fromUtf8, visible } from '@copain/core';
import type { SigningKey } from '@copain/mesh/io';
import {
  type BoxEntry,
  encodeOwnerRecord,
  type KeyProof,
  keyProofBytes,
  maxBoxesPerOwner,
  maxRevokedBoxes,
  maxRevokedSeen,
  nextOwnerEpoch,
  type OwnerKey,
  type OwnerRecord,
  type OwnerState,
  ownerKeyOf,
} from '@copain/trust';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { type Knowledge, ownerStateOf, recordsOf } from '../known-records.ts';
import { type Identity, keyFiles, signingKeyOf, writeSecret } from './identity.ts';
import type { RecordStore } from './record-store.ts';

/** Whether a secret half lies on this box. */
interface KeyPlace {
  use: OwnerKey['use'];
  here: boolean;
}

/** The owner's keys on this box, and the owner records that they sign. Every secret is a text `AGE-SECRET-KEY-1…`. */
export interface OwnerKeys {
  /** What the owner records add up to. Throws (77) where this box is nobody's in its circle. */
  state: () => OwnerState;
  places(): Promise<KeyPlace[]>;
  /** The secret of the owner key, to be kept elsewhere. */
  secret(): Promise<string>;
  /** Takes the owner key off this box. */
  remove(): Promise<void>;
  /** Keeps a secret that is one of the owner's keys now; says which. */
  take(secret: string): Promise<OwnerKey['use']>;
  /** A new owner key, kept on this box; with `newPaper` that secret becomes the paper key instead. `by`: who signs. */
  rotate(options: { newPaper: string | undefined; by: string | undefined }): Promise<void>;
  /** Is there a key that can sign an owner record? Throws (78) with what to do where there is none. */
  needSigner: () => Promise<void>;
  addBox: (box: BoxEntry, proof: KeyProof) => Promise<void>;
  revokeBox(name: string, by: string | undefined): Promise<BoxEntry>;
}

const uses: readonly OwnerKey['use'][] = ['owner', 'paper'];

/** What is to go on counting of a box that is revoked: whom it admitted and removed, the invites it took back. */
function standingHashes(knowledge: Knowledge, peer: string): Uint8Array[] {
  return (['member', 'removal', 'revocation'] as const).flatMap((kind) =>
    recordsOf(knowledge, kind)
      .filter(({ signed }) => signed.signer === peer)
      .map(({ signed }) => signed.hash),
  );
}

export function ownerKeys(options: {
  stateDir: string;
  identity: Identity;
  records: RecordStore;
  clock: Clock;
}): OwnerKeys {
  const { identity, records, clock } = options;
  const path = (name: string): string => join(options.stateDir, 'keys', name);
  let queue: Promise<unknown> = Promise.resolve();

  const state = (): OwnerState => {
    const found = ownerStateOf(records.knowledge(), identity.ownerId);
    if (found !== undefined && records.knowledge().roster.ownerOf.get(identity.box.peer) === identity.ownerId)
      return found;
    throw new CommandError(ExitCode.permission, 'this box is no box of its owner any more', {
      hint: 'peer box list, on another box of his',
    });
  };
  const readSecret = async (name: string): Promise<string | undefined> => {
    try {
      return (fromUtf8(new Uint8Array(await readFile(path(name)))) ?? '').trim();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new CommandError(ExitCode.cannotRead, `${path(name)} cannot be read`, { cause: error });
    }
  };
  /** Which of the owner's keys this secret is now, if any. */
  const keyOf = async (secret: string): Promise<{ use: OwnerKey['use']; key: SigningKey } | undefined> => {
    for (const use of uses) {
      const key = await signingKeyOf(secret, use);
      if (ownerKeyOf(state().current.record, use).peer === key.peer) return { use, key };
    }
    return undefined;
  };
  const fileOf: Record<OwnerKey['use'], string> = { owner: keyFiles.owner, paper: keyFiles.paper };
  const held = async (use: OwnerKey['use']): Promise<{ secret: string; key: SigningKey } | undefined> => {
    const secret = await readSecret(fileOf[use]);
    const found = secret === undefined ? undefined : await keyOf(secret);
    return secret !== undefined && found?.use === use ? { secret, key: found.key } : undefined;
  };
  /** A rotation that was cut off after it counted is finished: the new key takes the place of the old one. */
  const settle = async (): Promise<void> => {
    const next = await readSecret(keyFiles.nextOwner);
    if (next === undefined || (await keyOf(next))?.use !== 'owner') return;
    const old = await readSecret(keyFiles.owner);
    if (old !== undefined) {
      const former = (await signingKeyOf(old, 'owner')).peer.slice(-8);
      await writeSecret(path(`${keyFiles.formerPrefix}${former}.key`), `${old}\n`);
    }
    await rename(path(keyFiles.nextOwner), path(keyFiles.owner));
    if (!identity.sealIdentities.includes(next)) identity.sealIdentities.push(next);
  };
  const signer = async (by: string | undefined): Promise<{ use: OwnerKey['use']; key: SigningKey }> => {
    if (by !== undefined) {
      const found = await keyOf(by);
      if (found !== undefined) return found;
      throw new CommandError(
        ExitCode.configuration,
        'the key in this file is neither the owner key nor the paper key of now',
        { hint: 'peer key show' },
      );
    }
    await settle();
    for (const use of uses) {
      const found = await held(use);
      if (found !== undefined) return { use, key: found.key };
    }
    throw new CommandError(
      ExitCode.configuration,
      'the owner key is not on this box, and it has to sign this',
      {
        hint: 'peer key import FILE, or peer key rotate --key-file PAPER-KEY-FILE',
      },
    );
  };

  const proofOf = async (key: SigningKey, epoch: number): Promise<KeyProof> => {
    const previous = state().current.hash;
    const subject = { ownerId: identity.ownerId, epoch, previous, key: key.peer };
    return { peer: key.peer, epoch, previous, signature: await key.sign(keyProofBytes(subject)) };
  };

  /** Signs and publishes the next owner record; one at a time. */
  const publish = async (
    { use, key }: { use: OwnerKey['use']; key: SigningKey },
    change: (record: OwnerRecord, epoch: number) => Promise<Partial<OwnerRecord>>,
  ): Promise<void> => {
    const before = state();
    const { current, path } = before;
    const epoch = nextOwnerEpoch(before, use);
    const changed = { ...current.record, ...(await change(current.record, epoch)) };
    const named = new Set([...changed.keys, ...changed.boxes].map((one) => one.peer));
    const first = path[0]?.record;
    const known = new Set([...(first?.keys ?? []), ...(first?.boxes ?? [])].map((one) => one.peer));
    const proofs = changed.proofs.filter(({ peer }) => named.has(peer) && !known.has(peer));
    const { ownerId } = identity;
    const atMs = Math.round(clock.nowMs());
    const record = { ...changed, proofs, epoch, ownerId, previous: current.hash, atMs };
    await records.publishWith(key, 'owner', encodeOwnerRecord(record));
  };
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work, work);
    queue = turn.catch(() => undefined);
    return await turn;
  };

  return {
    state,
    places: async () => {
      await settle();
      return await Promise.all(uses.map(async (use) => ({ use, here: (await held(use)) !== undefined })));
    },
    secret: async () => {
      await settle();
      const found = await held('owner');
      if (found !== undefined) return found.secret;
      throw new CommandError(ExitCode.configuration, 'the owner key is not on this box', {
        hint: 'peer key import FILE',
      });
    },
    remove: async () => {
      await rm(path(keyFiles.owner), { force: true });
    },
    take: async (secret) => {
      const found = await keyOf(secret);
      if (found === undefined) {
        throw new CommandError(
          ExitCode.badInput,
          'this is neither the owner key nor the paper key of now: it was replaced, or is somebody else’s',
          { hint: 'peer key show' },
        );
      }
      await writeSecret(path(fileOf[found.use]), `${secret}\n`);
      if (!identity.sealIdentities.includes(secret)) identity.sealIdentities.push(secret);
      return found.use;
    },
    rotate: async ({ newPaper, by }) =>
      await inTurn(async () => {
        const signing = await signer(
          by ?? (newPaper === undefined ? undefined : (await held('paper'))?.secret),
        );
        if (newPaper !== undefined && signing.use !== 'paper') {
          throw new CommandError(ExitCode.permission, 'only the paper key can replace the paper key', {
            hint: 'peer key rotate --paper --key-file PAPER-KEY-FILE',
          });
        }
        const use = newPaper === undefined ? 'owner' : 'paper';
        const secret = newPaper ?? (await generateIdentity());
        const key = await signingKeyOf(secret, use);
        if (use === 'owner') await writeSecret(path(keyFiles.nextOwner), `${secret}\n`);
        const entry: OwnerKey = { use, peer: key.peer, sealTo: await identityToRecipient(secret) };
        await publish(signing, async (record, epoch) => ({
          keys: record.keys.map((one) => (one.use === use ? entry : one)),
          proofs: [...record.proofs, await proofOf(key, epoch)],
        }));
        await settle();
        if (use === 'paper') await rm(path(keyFiles.paper), { force: true });
      }),
    needSigner: async () => {
      await signer(undefined);
    },
    addBox: async (box, proof) =>
      await inTurn(async () => {
        const signing = await signer(undefined);
        await publish(signing, async (record) => {
          const others = record.boxes.filter((one) => one.peer !== box.peer);
          const refused = boxFault(others, box.name);
          if (refused !== undefined) throw refused;
          return {
            boxes: [...others, box],
            proofs: [...record.proofs.filter((one) => one.peer !== proof.peer), proof],
            revoked: record.revoked.filter((one) => one.peer !== box.peer),
          };
        });
      }),
    revokeBox: async (name, by) =>
      await inTurn(async () => {
        const box = state().current.record.boxes.find((one) => one.name === name);
        if (box === undefined) {
          throw new CommandError(ExitCode.badInput, `you have no box called ${visible(name)}`, {
            hint: 'peer box list',
          });
        }
        if (box.peer === identity.box.peer) {
          throw new CommandError(ExitCode.badInput, `${name} is this box, and a box does not revoke itself`, {
            hint: `peer box revoke ${name}, on another box of yours`,
          });
        }
        await publish(await signer(by), async (record) => {
          const revoked = record.revoked.slice(-(maxRevokedBoxes - 1));
          const taken = revoked.reduce((sum, { seen }) => sum + seen.length, 0);
          const seen = standingHashes(records.knowledge(), box.peer).slice(0, maxRevokedSeen - taken);
          return {
            boxes: record.boxes.filter((one) => one.peer !== box.peer),
            revoked: [...revoked, { peer: box.peer, seen }],
          };
        });
        return box;
      }),
  };
}

/** Why a further box of this name cannot be one. */
export function boxFault(boxes: readonly BoxEntry[], name: string): CommandError | undefined {
  if (boxes.some((box) => box.name === name)) {
    return new CommandError(ExitCode.usage, `you have a box called ${visible(name)} already`, {
      hint: 'peer box list',
    });
  }
  if (boxes.length < maxBoxesPerOwner) return undefined;
  return new CommandError(ExitCode.usage, `an owner has at most ${maxBoxesPerOwner} boxes`, {
    hint: 'peer box revoke NAME',
  });
}
