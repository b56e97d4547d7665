import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { HostPort } from '@copain/core';
import { AUTHORITATIVE_ANSWER, decode, encode } from 'dns-packet';
import { framed, TcpFrames } from '../tcp-frames.ts';

/** What a server said about a zone's SOA. `serial` is undefined where the answer holds none. */
export type SoaAnswer =
  | { kind: 'answer'; rcode: string; authoritative: boolean; serial: number | undefined; roundTripMs: number }
  | { kind: 'failed'; cause: unknown };

/** What is asked, of whom, and how long an answer is waited for. `origin` is a name as text without escapes. */
interface SoaQuestion {
  server: HostPort;
  origin: string;
  timeoutMs: number;
}

/**
 * Asks one server over UDP for a zone's SOA, without recursion, once. For probes and polls. An answer counts only with our
 * id, from where we asked.
 */
export function querySoa({ server, origin, timeoutMs }: SoaQuestion): Promise<SoaAnswer> {
  const { id, bytes: question } = soaQuestion(origin);
  return answeredWithin(timeoutMs, (finish, tookMs) => {
    const socket = createSocket(server.host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', (cause) => finish({ kind: 'failed', cause }));
    socket.on('message', (bytes) => {
      const answer = readSoa(bytes, id, tookMs());
      if (answer) finish(answer);
    });
    // A connected socket takes datagrams from this server alone and hears of a closed port.
    socket.connect(server.port, server.host, () => socket.send(question));
    return () => socket.close();
  });
}

/** The same question over TCP (RFC 7766). */
export function querySoaOverTcp({ server, origin, timeoutMs }: SoaQuestion): Promise<SoaAnswer> {
  const { id, bytes: question } = soaQuestion(origin);
  return answeredWithin(timeoutMs, (finish, tookMs) => {
    const socket = connect({ host: server.host, port: server.port });
    const frames = new TcpFrames();
    socket.once('error', (cause) => finish({ kind: 'failed', cause }));
    socket.once('close', () => finish({ kind: 'failed', cause: new Error('closed without an answer') }));
    socket.once('connect', () => socket.write(framed(question)));
    socket.on('data', (piece) => {
      frames.push(piece);
      const first = frames.next();
      if (first === undefined) return;
      const answer = readSoa(Buffer.from(first), id, tookMs());
      finish(answer ?? { kind: 'failed', cause: new Error('the answer to another question') });
    });
    return () => socket.destroy();
  });
}

function soaQuestion(origin: string): { id: number; bytes: Uint8Array } {
  const id = randomInt(65_536);
  const questions = [{ type: 'SOA' as const, name: origin.replace(/\.$/, '') }];
  return { id, bytes: encode({ type: 'query', id, flags: 0, questions }) };
}

/** The first that `ask` finishes with, or that nothing came in time; what `ask` gives back is done then. */
function answeredWithin(
  timeoutMs: number,
  ask: (finish: (answer: SoaAnswer) => void, tookMs: () => number) => () => void,
): Promise<SoaAnswer> {
  const { promise, resolve } = Promise.withResolvers<SoaAnswer>();
  const startedAtMs = performance.now();
  const timer = setTimeout(
    () => resolve({ kind: 'failed', cause: new Error(`no answer within ${timeoutMs} ms`) }),
    timeoutMs,
  );
  const close = ask(resolve, () => performance.now() - startedAtMs);
  return promise.finally(() => {
    clearTimeout(timer);
    close();
  });
}

/** The answer in a datagram, or undefined for one that is not ours, so that waiting goes on. */
function readSoa(bytes: Buffer, id: number, roundTripMs: number): SoaAnswer | undefined {
  try {
    const packet = decode(bytes);
    if (packet.id !== id || packet.type !== 'response') return undefined;
    const soa = packet.answers?.find((answer) => answer.type === 'SOA');
    const authoritative = ((packet.flags ?? 0) & AUTHORITATIVE_ANSWER) !== 0;
    return { kind: 'answer', rcode: rcodeIn(packet), authoritative, serial: soa?.data.serial, roundTripMs };
  } catch (cause) {
    return { kind: 'failed', cause };
  }
}

/** dns-packet gives the rcode as a name that its types leave out. */
function rcodeIn(packet: object): string {
  return 'rcode' in packet ? String(packet.rcode) : 'NOERROR';
}
