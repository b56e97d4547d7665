import { promisify } from 'node:util';
import { constants, deflateRaw, inflateRaw } from 'node:zlib';
import { equalBytes, type Files, type FrameStream, toHex } from '@copain/core';
import {
  applyZoneDelta,
  decodeZoneDelta,
  deltaBytesMax,
  openZoneBody,
  type Zone,
  type ZoneDelta,
  type ZoneVersion,
  zoneBytesMax,
} from '@copain/dns';
import { sha256 } from '@copain/dns/io';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { originText } from '../known-records.ts';

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** The records of one zone version, and the zone they make. */
export interface ZoneContent {
  body: Uint8Array;
  zone: Zone;
}

/** A friend delivered something else than the owner signed. */
export class AlteredContent extends Error {
  override name = 'AlteredContent';
}

const chunkBytes = 32_768;
/** Most that records of this size take up compressed (raw deflate stores 5 bytes more for every block it cannot shrink). */
const packedMaxBytes = (sizeBytes: number): number => sizeBytes + Math.ceil(sizeBytes / 1000) + 64;
const fetchTimeoutMs = 120_000;

/** The file that holds the records with this hash; contents are stored once, whatever names them. */
export function contentFile(contentHash: Uint8Array): string {
  return `z-${toHex(contentHash)}`;
}

/** From this size on a content is stored as it is, and packed only for a friend who asks for all of it: packing takes longer than the way of a change. */
const bareFromBytes = 262_144;

/** Stores the records of a version, compressed where they are few; durable when it resolves. */
export async function storeContent(files: Files, header: ZoneVersion, body: Uint8Array): Promise<void> {
  const level = body.length < bareFromBytes ? constants.Z_DEFAULT_COMPRESSION : constants.Z_NO_COMPRESSION;
  const packed = await deflate(body, { level, chunkSize: outputFor(packedMaxBytes(body.length)) });
  await files.write(contentFile(header.contentHash), packed);
}

/** The content as it travels: a slow line is worth a tenth of a second of work. */
async function packedToSend(files: Files, contentHash: Uint8Array): Promise<Uint8Array | undefined> {
  const stored = await files.read(contentFile(contentHash));
  if (stored === undefined || stored.length < bareFromBytes) return stored;
  const limits = { maxOutputLength: zoneBytesMax, chunkSize: outputFor(stored.length) };
  const body = await inflate(stored, limits).catch(() => undefined);
  if (body === undefined || body.length < bareFromBytes) return stored;
  return await deflate(body, { chunkSize: outputFor(body.length / 4) });
}

/**
 * How much output zlib is given room for at once. Each time that it is full costs a way to another thread and back, of which
 * a large content would take hundreds; one that is filled exactly costs one more.
 */
function outputFor(sizeBytes: number): number {
  return Math.ceil(sizeBytes) + 64;
}

/**
 * The output limit is the signed size, so that a small file cannot grow into a large one; and no more memory is taken for it
 * than came, or than a small content needs.
 */
const inflatedTo = (
  sizeBytes: number,
  packed: Uint8Array,
): { maxOutputLength: number; chunkSize: number } => ({
  maxOutputLength: sizeBytes,
  chunkSize: outputFor(Math.min(sizeBytes, Math.max(packed.length, chunkBytes))),
});

/** The same octets, which are not copied: a large content is some megabytes. */
const plain = ({ buffer, byteOffset, length }: Buffer<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(buffer, byteOffset, length);

/** The records of a version from disk: whole, and exactly what was signed; else undefined. */
export async function readContent(files: Files, header: ZoneVersion): Promise<ZoneContent | undefined> {
  const packed = await files.read(contentFile(header.contentHash));
  return packed === undefined ? undefined : await unpack(packed, header);
}

/** The octets of a version's records from disk, exactly what was signed, without reading the records; else undefined. */
export async function readBody(files: Files, header: ZoneVersion): Promise<Uint8Array | undefined> {
  const packed = await files.read(contentFile(header.contentHash));
  const body = packed && (await inflate(packed, inflatedTo(header.sizeBytes, packed)).catch(() => undefined));
  if (body === undefined || !equalBytes(sha256(body), header.contentHash)) return undefined;
  return plain(body);
}

/** The records of a version out of their compressed form: undefined unless size and hash are those that were signed. */
async function unpack(packed: Uint8Array, header: ZoneVersion): Promise<ZoneContent | undefined> {
  const body = await inflate(packed, inflatedTo(header.sizeBytes, packed)).catch(() => undefined);
  if (body === undefined) return undefined;
  const bytes = plain(body);
  const opened = openZoneBody(header, bytes, sha256);
  return opened.kind === 'zone' ? { body: bytes, zone: opened.zone } : undefined;
}

/** What came instead of a whole content was no step to the version asked for; the content itself is to be asked for. */
export class UselessDelta extends Error {
  override name = 'UselessDelta';
}

/** What a change is asked for from: a content that is here, and its hash. */
interface BaseContent extends ZoneContent {
  hash: Uint8Array;
}

/** A content that was fetched; with the delta by which it came, where it was one. */
export interface FetchedContent extends ZoneContent {
  delta: ZoneDelta | undefined;
}

/**
 * Asks one friend for the records of a version: whole, or as what changed since `base` where he knows that. Rejects
 * where he has none, or what comes is not what was signed; with UselessDelta where asking without `base` may do better.
 */
export async function fetchContent(
  header: ZoneVersion,
  stream: FrameStream,
  base?: BaseContent,
): Promise<FetchedContent> {
  const timer = setTimeout(() => stream.abort(new Error('the transfer takes too long')), fetchTimeoutMs);
  try {
    const origin = originText(header.origin);
    const have = base?.hash;
    await stream.send(
      encodeCanonical({ owner: header.owner, origin, hash: header.contentHash, ...(have && { have }) }),
    );
    await stream.end();
    const first = await stream.receive();
    const fields = readFields(first === undefined ? undefined : decodeCanonical(first, 256));
    const isDelta = fields.has('delta') && fields.flag('delta');
    if (isDelta && base === undefined) throw new AlteredContent('a delta came that was not asked for');
    const sizeBytes = fields.integer(
      'sizeBytes',
      0,
      packedMaxBytes(isDelta ? deltaBytesMax : header.sizeBytes),
    );
    if (!fields.ok || sizeBytes === 0) throw new Error('he does not have it');
    const packed = new Uint8Array(sizeBytes);
    let filled = 0;
    while (filled < sizeBytes) {
      const chunk = await stream.receive();
      if (chunk === undefined || filled + chunk.length > sizeBytes) throw new Error('the transfer broke off');
      packed.set(chunk, filled);
      filled += chunk.length;
    }
    if (isDelta && base !== undefined) return await applyPacked(packed, header, base);
    const content = await unpack(packed, header);
    if (content === undefined) throw new AlteredContent('what came is not what the owner signed');
    return { ...content, delta: undefined };
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error('transfer failed'));
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function applyPacked(
  packed: Uint8Array,
  header: ZoneVersion,
  base: ZoneContent,
): Promise<FetchedContent> {
  const bytes = await inflate(packed, { maxOutputLength: deltaBytesMax }).catch(() => undefined);
  const delta = bytes && decodeZoneDelta(new Uint8Array(bytes));
  if (delta === undefined) throw new UselessDelta('malformed');
  const patched = applyZoneDelta(base, delta, header, sha256);
  if (patched.kind === 'refused') throw new UselessDelta(patched.why);
  return { zone: patched.zone, body: patched.body, delta };
}

/**
 * Answers a friend who asks for a zone's records; `mayHave` decides. Sends size 0 for a no.
 * `deltaFor` gives what changed since the content that he says he has, where that is known.
 */
export async function serveContent(
  files: Files,
  stream: FrameStream,
  mayHave: (owner: string, origin: string, contentHash: Uint8Array) => boolean,
  deltaFor?: (step: {
    owner: string;
    origin: string;
    from: Uint8Array;
    to: Uint8Array;
  }) => Uint8Array | undefined,
): Promise<void> {
  const request = await stream.receive();
  const fields = readFields(request === undefined ? undefined : decodeCanonical(request, 1024));
  const owner = fields.text('owner', 64);
  const origin = fields.text('origin', 1024);
  const contentHash = fields.bytes('hash', 32, 32);
  const have = fields.has('have') ? fields.bytes('have', 32, 32) : undefined;
  const isGranted = fields.ok && mayHave(owner, origin, contentHash);
  const delta =
    isGranted && have !== undefined ? deltaFor?.({ owner, origin, from: have, to: contentHash }) : undefined;
  const packed =
    delta !== undefined
      ? await deflate(delta)
      : isGranted
        ? await packedToSend(files, contentHash)
        : undefined;
  await stream.send(
    encodeCanonical({ sizeBytes: packed?.length ?? 0, ...(delta !== undefined && { delta: true }) }),
  );
  for (let at = 0; packed !== undefined && at < packed.length; at += chunkBytes) {
    await stream.send(packed.subarray(at, at + chunkBytes));
  }
  await stream.end();
}
