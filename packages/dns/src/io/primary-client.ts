import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import type { HostPort } from '@copain/core';
import { primaryAnswerMs, primaryConnectMs, transferMs, transferStallMs } from '../limits.ts';
import type { ResourceRecord } from '../master-file.ts';
import type { DomainName } from '../name.ts';
import { askPrimary, type PrimaryQuestion, readSoaReply } from '../primary-question.ts';
import { TransferIn, type TransferProgress } from '../transfer-in.ts';
import type { TsigContext } from '../tsig.ts';
import type { TsigKey } from '../tsig-record.ts';
import { converse } from './converse.ts';
import { tsigCrypto } from './tsig-crypto.ts';

/** See limits.ts for the reasons; tests shorten these. */
export interface PrimaryClientLimits {
  answerMs: readonly number[];
  connectMs: number;
  stallMs: number;
  transferMs: number;
}

/** One address of a primary, and what is asked about. */
export interface PrimaryToAsk {
  address: HostPort;
  origin: DomainName;
  key: TsigKey | undefined;
  signal: AbortSignal;
  limits?: Partial<PrimaryClientLimits>;
}

/** The primary's SOA; `refused` is his answer, `silent` is none. `why` is for people. */
export type SoaFound = { kind: 'soa'; soa: ResourceRecord } | { kind: 'refused' | 'silent'; why: string };

/** What a transfer came to, in how many octets; `silent`: it broke off. */
export type Transferred =
  | { progress: Exclude<TransferProgress, { kind: 'more' }>; bytes: number }
  | { progress: { kind: 'silent'; why: string }; bytes: number };

const context = (): TsigContext => ({ crypto: tsigCrypto, nowS: Math.floor(Date.now() / 1000) });
const limitsOf = ({ limits }: PrimaryToAsk): PrimaryClientLimits => ({
  answerMs: primaryAnswerMs,
  connectMs: primaryConnectMs,
  stallMs: transferStallMs,
  transferMs,
  ...limits,
});

/** Asks for the zone's SOA over UDP, and over TCP where there is no answer, or a truncated one. Never rejects. */
export async function findSoa(primary: PrimaryToAsk): Promise<SoaFound> {
  for (const waitMs of limitsOf(primary).answerMs) {
    if (primary.signal.aborted) break;
    const found = await soaOverUdp(primary, waitMs);
    if (found === 'tcp') break;
    if (found !== 'again') return found;
  }
  return await soaOverTcp(primary);
}

/** One question with an id and a port of its own. */
function soaOverUdp(primary: PrimaryToAsk, waitMs: number): Promise<SoaFound | 'again' | 'tcp'> {
  const { address, origin, key, signal } = primary;
  const asked = askPrimary({ id: randomInt(65_536), origin, question: { type: 'SOA' }, key }, context());
  return new Promise((resolve) => {
    const socket = createSocket(address.host.includes(':') ? 'udp6' : 'udp4');
    let isDone = false;
    const finish = (found: SoaFound | 'again' | 'tcp'): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      socket.close();
      resolve(found);
    };
    const stop = (): void => finish('tcp');
    const timer = setTimeout(() => finish('again'), waitMs);
    signal.addEventListener('abort', stop, { once: true });
    // A port that nothing listens at answers at once: nothing listens there over TCP either, or only there.
    socket.on('error', () => finish('tcp'));
    socket.on('connect', () => socket.send(asked.message));
    socket.on('message', (reply) => {
      const read = readSoaReply(reply, asked, context());
      if (read.kind === 'unrelated') return;
      finish(read.kind === 'truncated' ? 'tcp' : read);
    });
    // A connected socket takes datagrams from this address alone.
    socket.connect(address.port, address.host);
  });
}

async function soaOverTcp(primary: PrimaryToAsk): Promise<SoaFound> {
  const { origin, key } = primary;
  const asked = askPrimary({ id: randomInt(65_536), origin, question: { type: 'SOA' }, key }, context());
  let found: SoaFound | undefined;
  const why = await converse({ ...primary, limits: limitsOf(primary) }, asked.message, (reply) => {
    const read = readSoaReply(reply, asked, context());
    if (read.kind === 'unrelated') return false;
    found = read.kind === 'truncated' ? { kind: 'refused', why: 'it truncates answers over TCP' } : read;
    return true;
  });
  return found ?? { kind: 'silent', why: why ?? 'it closed the connection without an answer' };
}

/** Asks for changes or for the whole zone over TCP (RFC 1995 §2, RFC 5936 §4.1). Never rejects. */
export async function transferFrom(primary: PrimaryToAsk, question: PrimaryQuestion): Promise<Transferred> {
  const { origin, key } = primary;
  const asked = askPrimary({ id: randomInt(65_536), origin, question, key }, context());
  const transfer = new TransferIn(asked, tsigCrypto);
  let bytes = 0;
  let progress: TransferProgress = { kind: 'more' };
  const why = await converse({ ...primary, limits: limitsOf(primary) }, asked.message, (message) => {
    bytes += message.length + 2;
    progress = transfer.take(message, context().nowS);
    return progress.kind !== 'more';
  });
  const reached = progress as TransferProgress;
  if (reached.kind !== 'more') return { progress: reached, bytes };
  return {
    progress: { kind: 'silent', why: why ?? 'it closed the connection before the end of the transfer' },
    bytes,
  };
}
