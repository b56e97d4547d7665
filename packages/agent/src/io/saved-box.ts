import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, open, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { CommandError, ExitCode, equalBytes, type Table, type TableChange, visible } from '@copain/core';
import { openEnvelope, signingKeyFromProtobuf, verifySignature } from '@copain/mesh/io';
import { openSegments, openTable, syncFolder } from '@copain/store/io';
import { decodeCanonical, decodeOwnerRecord, type OwnerRecord, readFields } from '@copain/trust';
import { Decrypter } from 'age-encryption';
import { folderOf, type HomePaths } from '../config-paths.ts';
import { readSave, type SaveFrame, saveProofBytes } from '../save-format.ts';
import { signingKeyOf } from './identity.ts';

/** What opens a saved box: lines of age keys (owner key or paper key), or the passphrase it was saved with. */
export type SaveKey =
  | { kind: 'keys'; secrets: readonly string[] }
  | { kind: 'passphrase'; passphrase: string };

export interface RestoredBox {
  name: string;
  savedAtMs: number;
  files: number;
  rows: number;
  messages: number;
  /** Where files were put that peer.toml names outside of its own folder: the original path, and the place now. */
  outside: { path: string; at: string }[];
}

/**
 * Makes a box from a saved one. The file is read twice: all of it is checked (whole, unaltered, saved by a box of whoever
 * owns the key) before anything is written. Throws CommandError: 73 where there is a box already, 65 where the file is no
 * saved box or damaged or the key is another's, 74 where it cannot be read. Needs no agent.
 */
export async function restoreBox(options: {
  file: string;
  key: SaveKey;
  paths: HomePaths;
  progress: (text: string) => void;
}): Promise<RestoredBox> {
  const { file, key, paths, progress } = options;
  await mustBeEmpty(paths);
  progress('checking all of it');
  const checked = await check(file, key);
  progress('writing');
  const written: string[] = [];
  try {
    return await write(frames(file, key), { checked, paths, written });
  } catch (error) {
    // There was no state: what there is of it now is ours, as is every other file that was made.
    await rm(paths.stateDir, { recursive: true, force: true });
    for (const path of written) await rm(path, { force: true });
    throw error;
  }
}

async function mustBeEmpty({ configFile, stateDir }: HomePaths): Promise<void> {
  for (const folder of new Set([folderOf(configFile), stateDir])) {
    const names = await readdir(folder).catch((): string[] => []);
    if (folder === folderOf(configFile) && folder !== folderOf(stateDir) && !names.includes('peer.toml'))
      continue;
    if (names.length === 0) continue;
    throw new CommandError(
      ExitCode.cannotWrite,
      `${visible(folder, 4096)} is not empty; a box is restored only where there is none, and nothing was changed`,
      { hint: 'choose another --home, or move what is there away' },
    );
  }
}

const damaged = (file: string, cause?: unknown): CommandError =>
  new CommandError(
    ExitCode.badInput,
    `${visible(file, 4096)} is damaged, or no saved box; nothing was changed`,
    { cause },
  );

/** The frames of a saved box, decrypted as they are read. */
async function* frames(file: string, key: SaveKey): AsyncGenerator<{ frame: SaveFrame; raw: Uint8Array }> {
  const decrypter = new Decrypter();
  if (key.kind === 'passphrase') decrypter.addPassphrase(key.passphrase);
  else for (const secret of key.secrets) decrypter.addIdentity(secret);
  const source = createReadStream(file);
  try {
    const sealed = Readable.toWeb(source) as ReadableStream<Uint8Array>;
    let plain: ReadableStream<Uint8Array>;
    try {
      plain = await decrypter.decrypt(sealed);
    } catch (error) {
      throw cannotOpen(file, error);
    }
    const reader = readSave();
    for await (const piece of plain) {
      const read = reader.push(piece);
      if (read === undefined) throw damaged(file);
      yield* read;
    }
    if (reader.left() > 0) throw damaged(file);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw isFileError(error) ? cannotOpen(file, error) : damaged(file, error);
  } finally {
    source.destroy();
  }
}

const isFileError = (error: unknown): boolean =>
  ['ENOENT', 'EACCES', 'EISDIR', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '');

function cannotOpen(file: string, error: unknown): CommandError {
  const shown = visible(file, 4096);
  if (isFileError(error)) {
    const { code } = error as NodeJS.ErrnoException;
    return new CommandError(ExitCode.cannotRead, `${shown} cannot be read (${code})`, { cause: error });
  }
  const text = error instanceof Error ? error.message : '';
  if (/no identity matched|passphrase/i.test(text)) {
    return new CommandError(ExitCode.badInput, `this key does not open ${shown}`, {
      hint: 'it takes the owner key, the paper key, or --passphrase-file where it was saved with one',
      cause: error,
    });
  }
  return damaged(file, error);
}

/** What the end of the file must be, and what stands before it. */
interface Checked {
  head: Extract<SaveFrame, { t: 'head' }>;
  frames: number;
}

/** Reads the whole file once and throws where any of it is not as it was saved, by a box of the owner of the key. */
async function check(file: string, key: SaveKey): Promise<Checked> {
  const hash = createHash('sha256');
  let head: Checked['head'] | undefined;
  let end: Extract<SaveFrame, { t: 'end' }> | undefined;
  let boxKey: Uint8Array | undefined;
  let hasConfig = false;
  const owners: OwnerRecord[] = [];
  let count = 0;
  for await (const { frame, raw } of frames(file, key)) {
    if (end !== undefined || (count === 0) !== (frame.t === 'head')) throw damaged(file);
    if (frame.t === 'end') {
      end = frame;
      continue;
    }
    hash.update(raw);
    count += 1;
    if (frame.t === 'head') head = frame;
    if (frame.t === 'file' && frame.place === 'config') hasConfig = true;
    if (frame.t === 'file' && frame.place === 'state') {
      if (frame.path === 'keys/box.key') boxKey = frame.bytes;
      if (frame.path === 'owner.record') owners.push(...(await ownerRecord(frame.bytes)));
    }
    if (frame.t === 'row' && frame.table === 'db' && frame.key.startsWith('fact/owner')) {
      const fields = readFields(decodeCanonical(frame.value, 131_072));
      owners.push(...(await ownerRecord(fields.bytes('envelope', 1, 131_072))));
    }
  }
  if (head === undefined || end === undefined || boxKey === undefined || !hasConfig) throw damaged(file);
  const digest = new Uint8Array(hash.digest());
  let box: string;
  try {
    box = signingKeyFromProtobuf(boxKey).peer;
  } catch (error) {
    throw damaged(file, error);
  }
  const isSigned = await verifySignature(box, saveProofBytes(digest), end.signature);
  if (end.frames !== count || !equalBytes(digest, end.hash) || !isSigned) throw damaged(file);
  if (!owners.some((owner) => owner.boxes.some(({ peer }) => peer === box))) throw damaged(file);
  if (key.kind === 'keys') await mustBeOwners(file, key.secrets, owners);
  return { head, frames: count };
}

async function ownerRecord(envelope: Uint8Array): Promise<OwnerRecord[]> {
  const opened = await openEnvelope('owner', envelope);
  const record = opened === undefined ? undefined : decodeOwnerRecord(opened.payload);
  return record === undefined ? [] : [record];
}

/** Anybody can seal a file to a public key: the box inside must belong to whoever holds the key that opened it. */
async function mustBeOwners(
  file: string,
  secrets: readonly string[],
  owners: readonly OwnerRecord[],
): Promise<void> {
  const known = new Set(owners.flatMap((owner) => owner.keys.map(({ peer }) => peer)));
  for (const secret of secrets) {
    for (const use of ['owner', 'paper'] as const)
      if (known.has((await signingKeyOf(secret, use)).peer)) return;
  }
  throw new CommandError(
    ExitCode.badInput,
    `${visible(file, 4096)} was saved by a box of another owner; nothing was changed`,
    { hint: 'use the owner key or the paper key of the box that was saved' },
  );
}

const rowsAtOnce = 500;

async function write(
  source: AsyncIterable<{ frame: SaveFrame }>,
  options: { checked: Checked; paths: HomePaths; written: string[] },
): Promise<RestoredBox> {
  const { paths, written } = options;
  const { head } = options.checked;
  const { stateDir, configFile } = paths;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await chmod(stateDir, 0o700);
  await mkdir(folderOf(configFile), { recursive: true, mode: 0o755 });
  await mkdir(join(stateDir, 'mail'), { recursive: true, mode: 0o700 });
  await using stores = new AsyncDisposableStack();
  const closing = <T extends { close(): Promise<void> }>(store: T): T => {
    stores.defer(() => store.close());
    return store;
  };
  const tables: Record<'db' | 'mail/index', Table> = {
    db: closing(await openTable(join(stateDir, 'db'))),
    'mail/index': closing(await openTable(join(stateDir, 'mail/index'))),
  };
  const logs = {
    'mail/held': closing(await openSegments(join(stateDir, 'mail/held'))),
    'mail/inbox': closing(await openSegments(join(stateDir, 'mail/inbox'))),
  };
  const done: RestoredBox = {
    name: head.name,
    savedAtMs: head.atMs,
    files: 0,
    rows: 0,
    messages: 0,
    outside: [],
  };
  const rows: Record<'db' | 'mail/index', TableChange[]> = { db: [], 'mail/index': [] };
  const flush = async (table: 'db' | 'mail/index'): Promise<void> => {
    if (rows[table].length > 0) await tables[table].write(rows[table]);
    rows[table] = [];
  };
  let last: { path: string; bytes: Uint8Array } | undefined;
  for await (const { frame } of source) {
    switch (frame.t) {
      case 'head':
      case 'end':
        break;
      case 'row':
        rows[frame.table].push({ key: frame.key, value: frame.value });
        done.rows += 1;
        if (rows[frame.table].length >= rowsAtOnce) await flush(frame.table);
        break;
      case 'message': {
        const outcome = await logs[frame.log].append(frame.bytes);
        if (outcome.kind === 'failed') throw cannotWrite(stateDir, outcome.cause);
        done.messages += 1;
        break;
      }
      case 'file': {
        const path = placeOf(frame, paths);
        done.files += 1;
        if (frame.place === 'outside') done.outside.push({ path: `/${frame.path}`, at: path });
        // A home without the owner record is one where this did not finish: it comes last.
        if (frame.place === 'state' && frame.path === 'owner.record') last = { path, bytes: frame.bytes };
        else {
          await writeFileDurably(path, frame.bytes);
          written.push(path);
        }
        break;
      }
    }
  }
  await flush('db');
  await flush('mail/index');
  if (last !== undefined) await writeFileDurably(last.path, last.bytes);
  return done;
}

function placeOf(frame: Extract<SaveFrame, { t: 'file' }>, { configFile, stateDir }: HomePaths): string {
  switch (frame.place) {
    case 'config':
      return configFile;
    case 'beside':
      return join(folderOf(configFile), frame.path);
    case 'state':
      return join(stateDir, frame.path);
    case 'outside':
      // Never written where it came from: a restore touches nothing but its own home.
      return join(stateDir, 'outside', frame.path);
  }
}

async function writeFileDurably(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const target = await open(path, 'wx', 0o600);
    try {
      await target.writeFile(bytes);
      await target.sync();
    } finally {
      await target.close();
    }
    await syncFolder(dirname(path));
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

function cannotWrite(path: string, cause: unknown): CommandError {
  const { code } = cause as NodeJS.ErrnoException;
  return new CommandError(
    ExitCode.cannotWrite,
    `${visible(path, 4096)} cannot be written (${code ?? 'disk'})`,
    { cause },
  );
}
