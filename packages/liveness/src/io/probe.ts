import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, isIP } from 'node:net';
import { isLoopback, isPrivate } from '@copain/core';
import { probeBytesMax, probeTimeoutMs } from '../limits.ts';
import { judgeGreeting, judgeHttp, type ProbeResult, type ServiceCheck } from '../service-check.ts';

/** Where and how to try a check. */
export interface ProbeOptions {
  /** The address that is dialled, never a name: whoever asks looked it up, and knows whose it is. */
  address: string;
  /** Private and loopback addresses may be tried too; else they are not, and the result is `unknown`. */
  allowPrivate: boolean;
  /** Default: `probeTimeoutMs`. */
  timeoutMs?: number;
  /** Stops the attempt, which then rejects nothing and is `unknown`. */
  signal?: AbortSignal;
  /** For checks of DNS, which this room knows nothing about. */
  soa?: (
    check: Extract<ServiceCheck, { kind: 'dns' }>,
    address: string,
    signal: AbortSignal,
  ) => Promise<ProbeResult>;
}

/**
 * Tries one service once, as its owner asked friends to. Never rejects; over after 10 s, and reads at most 64 kB. Follows
 * no redirect, so that nobody's answer leads a friend's box to an address inside his own network.
 */
export async function probe(check: ServiceCheck, options: ProbeOptions): Promise<ProbeResult> {
  const { address, allowPrivate, timeoutMs = probeTimeoutMs } = options;
  if (isIP(address) === 0) return { kind: 'unknown', why: `${address} is no address` };
  if (!allowPrivate && (isPrivate(address) || isLoopback(address)))
    return { kind: 'unknown', why: `${address} is a private address, which friends do not try` };
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  const startedAtMs = performance.now();
  const tookMs = (): number => performance.now() - startedAtMs;
  try {
    switch (check.kind) {
      case 'tcp':
        return await probeTcp(check.port, address, signal, tookMs);
      case 'smtp':
        return await probeSmtp(check, address, signal, tookMs);
      case 'http':
        return await probeHttp(check, address, signal, tookMs);
      case 'dns':
        return (
          (await options.soa?.(check, address, signal)) ?? { kind: 'unknown', why: 'DNS is not tried here' }
        );
    }
  } catch (error) {
    if (options.signal?.aborted === true) return { kind: 'unknown', why: 'stopped' };
    return failure(error, timeout.aborted ? timeoutMs : undefined);
  }
}

/** Faults of this box, which say nothing about the other side: no route, no address of this family, out of sockets. */
const ownFaults = new Set([
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'EACCES',
  'EPERM',
  'ENETDOWN',
]);

/** Its server answers, and cannot be believed to be the one that was meant, or not for long: nobody's outage. */
const isCertificateFault = (code: string): boolean =>
  code.startsWith('CERT_') ||
  code.startsWith('ERR_TLS_CERT') ||
  code.includes('SELF_SIGNED') ||
  code.startsWith('UNABLE_TO_');

function failure(error: unknown, lateAfterMs: number | undefined): ProbeResult {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (lateAfterMs !== undefined) return { kind: 'down', why: `no answer within ${lateAfterMs / 1000} s` };
  if (ownFaults.has(code)) return { kind: 'unknown', why: `this box cannot try it (${code})` };
  if (isCertificateFault(code))
    return { kind: 'unknown', why: `it answers with a certificate that does not fit (${code})` };
  if (code === 'ECONNREFUSED') return { kind: 'down', why: 'the connection is refused' };
  if (code === 'EHOSTUNREACH') return { kind: 'down', why: 'the address is not reached' };
  return {
    kind: 'down',
    why: code === '' ? 'the connection ended before an answer' : `the connection failed (${code})`,
  };
}

function probeTcp(
  port: number,
  host: string,
  signal: AbortSignal,
  tookMs: () => number,
): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const giveUp = (): void => void socket.destroy(new Error('no answer in time'));
    signal.addEventListener('abort', giveUp, { once: true });
    socket.once('connect', () => resolve({ kind: 'up', tookMs: tookMs() }));
    socket.once('error', reject);
    socket.once('close', () => {
      signal.removeEventListener('abort', giveUp);
      reject(new Error('closed'));
    });
    socket.once('connect', () => socket.destroy());
  });
}

/** Waits for the greeting, says QUIT, and leaves. */
function probeSmtp(
  { port, greets }: Extract<ServiceCheck, { kind: 'smtp' }>,
  host: string,
  signal: AbortSignal,
  tookMs: () => number,
): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const giveUp = (): void => void socket.destroy(new Error('no answer in time'));
    signal.addEventListener('abort', giveUp, { once: true });
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (piece: string) => {
      text += piece;
      const end = text.indexOf('\n');
      if (end < 0 && text.length < probeBytesMax) return;
      socket.removeAllListeners('data').resume();
      resolve(judgeGreeting(text.slice(0, end < 0 ? 80 : end).trimEnd(), greets, tookMs()));
      socket.end('QUIT\r\n');
      // Whoever does not hang up after QUIT is hung up on.
      socket.setTimeout(1000, () => socket.destroy());
    });
    socket.once('error', reject);
    socket.once('close', () => {
      signal.removeEventListener('abort', giveUp);
      reject(new Error('closed'));
    });
  });
}

function probeHttp(
  check: Extract<ServiceCheck, { kind: 'http' }>,
  address: string,
  signal: AbortSignal,
  tookMs: () => number,
): Promise<ProbeResult> {
  const { secure, host, port, path, contains } = check;
  const named = isIP(host) === 0;
  const standard = port === (secure ? 443 : 80);
  const shown = host.includes(':') ? `[${host}]` : host;
  return new Promise((resolve, reject) => {
    const request = (secure ? httpsRequest : httpRequest)({
      host: address,
      port,
      path,
      agent: false,
      setHost: false,
      maxHeaderSize: 16_384,
      headers: { host: standard ? shown : `${shown}:${port}`, 'user-agent': 'copain', connection: 'close' },
      ...(secure && named ? { servername: host } : {}),
      signal,
    });
    request.once('error', reject);
    request.once('response', (response) => {
      readBody(response, contains === undefined ? 0 : probeBytesMax)
        .then((body) => {
          resolve(judgeHttp({ status: response.statusCode ?? 0, body }, contains, tookMs()));
          request.destroy();
        })
        .catch(reject);
    });
    request.end();
  });
}

/** The body, or as much of it as may be read. */
async function readBody(response: IncomingMessage, bytesMax: number): Promise<string> {
  let body = '';
  if (bytesMax === 0) return body;
  response.setEncoding('utf8');
  for await (const piece of response) {
    body += String(piece);
    if (body.length >= bytesMax) break;
  }
  return body.slice(0, bytesMax);
}
