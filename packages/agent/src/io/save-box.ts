import { createHash, randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CommandError, ExitCode, type Files, type Segments, type Table, visible } from '@copain/core';
import { parseName } from '@copain/dns';
import { readZoneFile } from '@copain/dns/io';
import { syncFolder } from '@copain/store/io';
import { Encrypter } from 'age-encryption';
import { besideConfig, folderOf, type HomePaths } from '../config-paths.ts';
import type { Config } from '../config-schema.ts';
import { encodeSaveFrame, type SaveFrame, saveMagic, saveProofBytes } from '../save-format.ts';
import type { Identity } from './identity.ts';

/** Where all that a box needs lies. */
export interface BoxParts {
  paths: HomePaths;
  config: Config;
  identity: Identity;
  /** age recipients of the owner's keys. */
  sealTo: readonly string[];
  tables: Readonly<Record<'db' | 'mail/index', Table>>;
  logs: Readonly<Record<'mail/held' | 'mail/inbox', Segments>>;
  zoneFiles: Files;
  nowMs: number;
}

/** Rows that name messages by where they lie, which is elsewhere after a restore; the inbox finds its messages itself. */
const placedRows = 'mail/queue/';

/**
 * Writes one encrypted file with all that the box needs, from the running agent: mode 0600, under a temporary name, synced,
 * then renamed. Whoever has the owner key or the paper key opens it, or who knows the passphrase where one is given.
 */
export async function saveBox(
  parts: BoxParts,
  options: {
    file: string;
    withMail: boolean;
    passphrase: string | undefined;
    progress: (text: string) => void;
  },
): Promise<{ file: string; sizeBytes: number; frames: number; messages: number }> {
  const { file, passphrase } = options;
  const encrypter = new Encrypter();
  if (passphrase === undefined) for (const recipient of parts.sealTo) encrypter.addRecipient(recipient);
  else encrypter.setPassphrase(passphrase);
  const counts = { frames: 0, messages: 0 };
  const plain = ReadableStream.from(dump(parts, options, counts)) as ReadableStream<Uint8Array>;
  const sealed = await encrypter.encrypt(plain);
  const temporary = `${file}.new-${randomBytes(4).toString('hex')}`;
  let sizeBytes = 0;
  try {
    const target = await open(temporary, 'wx', 0o600);
    try {
      for await (const piece of sealed) {
        await target.writeFile(piece);
        sizeBytes += piece.length;
      }
      await target.sync();
    } finally {
      await target.close();
    }
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await rm(temporary, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const exit = code === 'EACCES' || code === 'EPERM' ? ExitCode.permission : ExitCode.cannotWrite;
    throw new CommandError(exit, `${visible(file, 4096)} cannot be written (${code}); nothing was saved`, {
      cause: error,
    });
  }
  return { file, sizeBytes, ...counts };
}

async function* dump(
  parts: BoxParts,
  { withMail, progress }: { withMail: boolean; progress: (text: string) => void },
  counts: { frames: number; messages: number },
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  const framed = (frame: SaveFrame): Uint8Array => {
    const bytes = encodeSaveFrame(frame);
    hash.update(bytes);
    counts.frames += 1;
    return bytes;
  };
  const { paths, config, identity } = parts;
  yield saveMagic;
  yield framed({ t: 'head', version: 1, name: config.name, atMs: Math.round(parts.nowMs), withMail });
  progress('keys and configuration');
  for await (const frame of filesOf(parts)) yield framed(frame);
  yield framed({ t: 'file', place: 'config', path: '', bytes: await bytesOf(paths.configFile) });
  progress('records and tables');
  for (const name of ['db', 'mail/index'] as const) {
    for await (const [key, value] of parts.tables[name].entries('')) {
      if (!key.startsWith(placedRows)) yield framed({ t: 'row', table: name, key, value });
    }
  }
  progress('zones');
  for (const name of await parts.zoneFiles.list()) {
    const bytes = await parts.zoneFiles.read(name);
    if (bytes !== undefined) yield framed({ t: 'file', place: 'state', path: `zones/${name}`, bytes });
  }
  if (withMail) {
    progress('mail that waits');
    for (const log of ['mail/held', 'mail/inbox'] as const) {
      for await (const { id } of parts.logs[log].entries()) {
        const bytes = await parts.logs[log].read(id);
        if (bytes === undefined) continue;
        counts.messages += 1;
        yield framed({ t: 'message', log, bytes });
      }
    }
  }
  const digest = new Uint8Array(hash.digest());
  const signature = await identity.box.sign(saveProofBytes(digest));
  yield encodeSaveFrame({ t: 'end', frames: counts.frames, hash: digest, signature });
}

const bytesOf = async (path: string): Promise<Uint8Array> => new Uint8Array(await readFile(path));

/** Keys, owner record, and every file that peer.toml names. One of the latter that is missing is no reason not to save. */
async function* filesOf({ paths, config }: BoxParts): AsyncGenerator<SaveFrame> {
  const keys = join(paths.stateDir, 'keys');
  for (const name of (await readdir(keys)).sort()) {
    if (name.endsWith('.new')) continue;
    yield { t: 'file', place: 'state', path: `keys/${name}`, bytes: await bytesOf(join(keys, name)) };
  }
  yield {
    t: 'file',
    place: 'state',
    path: 'owner.record',
    bytes: await bytesOf(join(paths.stateDir, 'owner.record')),
  };
  const folder = folderOf(paths.configFile);
  const prefix = folder === '/' ? '/' : `${folder}/`;
  for (const path of await namedFiles(config, paths.configFile)) {
    const bytes = await bytesOf(path).catch(() => undefined);
    if (bytes === undefined) continue;
    const isBeside = path.startsWith(prefix);
    const shown = isBeside ? path.slice(prefix.length) : path.slice(1);
    yield { t: 'file', place: isBeside ? 'beside' : 'outside', path: shown, bytes };
  }
}

/** Absolute paths of all files that peer.toml names, and of what zone files include. */
async function namedFiles(config: Config, configFile: string): Promise<string[]> {
  const named = new Set<string>();
  const add = (path: string | undefined): void => {
    if (path !== undefined) named.add(besideConfig(configFile, path));
  };
  add(config.http.tokenFile);
  add(config.smtp.tls?.certFile);
  add(config.smtp.tls?.keyFile);
  for (const { certFile, keyFile } of config.smtp.tlsNames) [certFile, keyFile].forEach(add);
  for (const { tsigFile } of config.dns.transfer) add(tsigFile);
  for (const { recipients } of config.mail) if (recipients.kind === 'file') add(recipients.file);
  for (const { origin, source } of config.zones) {
    if (source.kind === 'primary') add(source.tsigFile);
    const parsed = parseName(origin);
    if (source.kind !== 'file' || parsed.kind !== 'name') continue;
    const { files } = await readZoneFile({
      path: besideConfig(configFile, source.file),
      origin: parsed.name,
    });
    for (const path of files) named.add(path);
  }
  return [...named].sort();
}
