import { hkdfSync } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CommandError, ExitCode, fromUtf8, isName, toHex } from '@copain/core';
import { openEnvelope, type SigningKey, signingKeyFromProtobuf, signingKeyFromSeed } from '@copain/mesh/io';
import { decodeOwnerRecord, encodeOwnerRecord, type OwnerRecord, type Signed } from '@copain/trust';
import { armor, Decrypter, Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';

/**
 * The keys of one box and its owner. Every secret is one age identity (`AGE-SECRET-KEY-1…`); the signing key of the
 * same person or box is derived from it (HKDF-SHA256, RFC 5869 §2), so that one line on paper restores both.
 */
export interface Identity {
  ownerId: string;
  /** The signed owner record, whole, as it goes into a member record. */
  ownerEnvelope: Uint8Array;
  owner: Signed<OwnerRecord>;
  box: SigningKey;
  /** Age identities that open what was sealed to this box or its owner. Secret. */
  sealIdentities: string[];
}

/** Names of the files under `state/keys`. Those of the owner may be missing: the daemon needs only its box and mail key. */
export const keyFiles = {
  box: 'box.key',
  mail: 'mail.key',
  owner: 'owner.key',
  paper: 'paper.key',
  /** A new owner key whose record may or may not count yet. */
  nextOwner: 'owner.key.next',
  /** Owner keys of before, which open what was sealed to them. */
  formerPrefix: 'former-',
} as const;
const ownerRecordFile = 'owner.record';

/** The signing key that belongs to an age identity; `use` keeps keys for different purposes apart. */
export async function signingKeyOf(secret: string, use: 'owner' | 'paper'): Promise<SigningKey> {
  const seed = hkdfSync('sha256', secret, new Uint8Array(), `copain/${use}-key/1`, 32);
  return await signingKeyFromSeed(new Uint8Array(seed));
}

/** Writes a file of mode 0600, synced, in one step. */
export async function writeSecret(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Makes the keys of a new box and of its owner under `stateDir/keys` (mode 0700, files 0600). Called by `peer init`;
 * refuses (73) where keys are already. `paperKey` is returned, not kept: it is printed once and outranks all others.
 */
export async function createIdentity(options: {
  stateDir: string;
  name: string;
}): Promise<{ paperKey: string; ownerId: string; boxId: string }> {
  const { stateDir, name } = options;
  if (!isName(name))
    throw new CommandError(ExitCode.usage, `'${name}' is not a name: a-z 0-9 -, 1 to 32 characters`);
  const keys = join(stateDir, 'keys');
  if ((await readOptional(join(stateDir, ownerRecordFile))) !== undefined) {
    throw new CommandError(
      ExitCode.cannotWrite,
      `${stateDir} holds the keys of a box already; nothing was changed`,
      {
        hint: 'choose another --home, or use the box that is there: peer up',
      },
    );
  }
  await mkdir(keys, { recursive: true, mode: 0o700 });
  await chmod(stateDir, 0o700);
  const [ownerSecret, paperKey, mailSecret] = await Promise.all([
    generateIdentity(),
    generateIdentity(),
    generateIdentity(),
  ]);
  const owner = await signingKeyOf(ownerSecret, 'owner');
  const paper = await signingKeyOf(paperKey, 'paper');
  const box = await signingKeyFromSeed(crypto.getRandomValues(new Uint8Array(32)));
  const payload = encodeOwnerRecord({
    epoch: 0,
    ownerId: undefined,
    previous: undefined,
    proofs: [],
    revoked: [],
    keys: [
      { use: 'owner', peer: owner.peer, sealTo: await identityToRecipient(ownerSecret) },
      { use: 'paper', peer: paper.peer, sealTo: await identityToRecipient(paperKey) },
    ],
    boxes: [
      {
        peer: box.peer,
        name,
        roles: ['sign-zone', 'sign-grant', 'mail', 'relay', 'watch'],
        sealTo: await identityToRecipient(mailSecret),
      },
    ],
    atMs: Date.now(),
  });
  const envelope = await owner.seal('owner', payload);
  const opened = await openEnvelope('owner', envelope);
  if (opened === undefined) throw new Error('the owner record just signed does not open');
  await writeSecret(join(keys, keyFiles.box), box.protobuf);
  await writeSecret(join(keys, keyFiles.owner), `${ownerSecret}\n`);
  await writeSecret(join(keys, keyFiles.mail), `${mailSecret}\n`);
  // The record comes last: a home without it is one where init did not finish, and init may run again.
  await writeSecret(join(stateDir, ownerRecordFile), envelope);
  return { paperKey, ownerId: toHex(opened.hash), boxId: box.peer };
}

async function readOptional(path: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const { code } = error as NodeJS.ErrnoException;
    const denied = code === 'EACCES' || code === 'EPERM';
    throw new CommandError(
      denied ? ExitCode.permission : ExitCode.cannotRead,
      `cannot read ${path} (${code})`,
      {
        hint: denied ? 'run it as the user whose box this is' : undefined,
        cause: error,
      },
    );
  }
}

/** Reads the keys of this box. Throws CommandError: 78 where there is no box yet, 74 where a file is damaged. */
export async function loadIdentity(stateDir: string): Promise<Identity> {
  const ownerEnvelope = await readOptional(join(stateDir, ownerRecordFile));
  if (ownerEnvelope === undefined) {
    throw new CommandError(ExitCode.configuration, `there is no box in ${stateDir} yet`, {
      hint: 'peer init --name NAME',
    });
  }
  const need = async (name: string): Promise<Uint8Array> => {
    const bytes = await readOptional(join(stateDir, 'keys', name));
    if (bytes !== undefined) return bytes;
    throw new CommandError(ExitCode.cannotRead, `the key file ${join(stateDir, 'keys', name)} is missing`, {
      hint: 'put it back from a backup of the state folder',
    });
  };
  const damaged = (path: string, cause?: unknown): CommandError =>
    new CommandError(ExitCode.cannotRead, `${path} is damaged`, {
      hint: 'put it back from a backup of the state folder',
      cause,
    });
  const opened = await openEnvelope('owner', ownerEnvelope);
  const record = opened === undefined ? undefined : decodeOwnerRecord(opened.payload);
  if (opened === undefined || record === undefined) {
    throw damaged(join(stateDir, ownerRecordFile));
  }
  const boxKey = await need(keyFiles.box);
  let box: SigningKey;
  try {
    box = signingKeyFromProtobuf(boxKey);
  } catch (error) {
    throw damaged(join(stateDir, 'keys', keyFiles.box), error);
  }
  const others = (await readdir(join(stateDir, 'keys'))).filter(
    (name) =>
      name === keyFiles.owner ||
      name === keyFiles.nextOwner ||
      name === keyFiles.paper ||
      name.startsWith(keyFiles.formerPrefix),
  );
  const secrets = await Promise.all([keyFiles.mail, ...others.sort()].map(need));
  return {
    ownerId: toHex(opened.hash),
    ownerEnvelope,
    owner: { signer: opened.signer, hash: opened.hash, record },
    box,
    sealIdentities: secrets.map((bytes) => (fromUtf8(bytes) ?? '').trim()),
  };
}

/**
 * Makes this box one of another owner's: his first record, from a member record that was checked, takes the place of our
 * own, and our own owner key, which names nobody any more, goes. Counts from the next start on.
 */
export async function adoptOwner(stateDir: string, ownerEnvelope: Uint8Array): Promise<void> {
  await writeSecret(join(stateDir, ownerRecordFile), ownerEnvelope);
  await rm(join(stateDir, 'keys', keyFiles.owner), { force: true });
}

/** A fresh secret, as a text `AGE-SECRET-KEY-1…`. */
export async function newSecret(): Promise<string> {
  return await generateIdentity();
}

/** A key file sealed with a passphrase (age, scrypt), as text. */
export async function sealSecret(text: string, passphrase: string): Promise<string> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  return armor.encode(await encrypter.encrypt(text));
}

/** What was sealed with `sealSecret`, or undefined where the passphrase does not fit or the text is none. */
export async function openSecret(text: string, passphrase: string): Promise<string | undefined> {
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return await decrypter.decrypt(armor.decode(text), 'text');
  } catch {
    return undefined;
  }
}
