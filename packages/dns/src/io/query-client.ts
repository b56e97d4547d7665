import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { HostPort } from '@copain/core';
import { AUTHORITATIVE_ANSWER, decode, encode } from 'dns-packet';

/** What a server said about a zone's SOA. `serial` is undefined where the answer holds none. */
export type SoaAnswer =
  | { kind: 'answer'; rcode: string; authoritative: boolean; serial: number | undefined; roundTripMs: number }
  | { kind: 'failed'; cause: unknown };

/**
 * Asks one server over UDP for a zone's SOA, without recursion, once. For probes and polls; `origin` is a name as text
 * without escapes. An answer counts only with our id, from where we asked.
 */
export function querySoa(options: {
  server: HostPort;
  origin: string;
  timeoutMs: number;
}): Promise<SoaAnswer> {
  const { server, origin, timeoutMs } = options;
  const id = randomInt(65_536);
  return new Promise((resolve) => {
    const socket = createSocket(server.host.includes(':') ? 'udp6' : 'udp4');
    const startedAtMs = performance.now();
    const finish = (answer: SoaAnswer) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(
      () => finish({ kind: 'failed', cause: new Error(`no answer within ${timeoutMs} ms`) }),
      timeoutMs,
    );
    socket.once('error', (cause) => finish({ kind: 'failed', cause }));
    socket.on('message', (bytes) => {
      const answer = readSoa(bytes, id, performance.now() - startedAtMs);
      if (answer) finish(answer);
    });
    // A connected socket takes datagrams from this server alone and hears of a closed port.
    socket.connect(server.port, server.host, () => {
      socket.send(
        encode({
          type: 'query',
          id,
          flags: 0,
          questions: [{ type: 'SOA', name: origin.replace(/\.$/, '') }],
        }),
      );
    });
  });
}

/** The same question over TCP (RFC 7766). */
export function querySoaOverTcp(options: {
  server: HostPort;
  origin: string;
  timeoutMs: number;
}): Promise<SoaAnswer> {
  const { server, origin, timeoutMs } = options;
  const id = randomInt(65_536);
  return new Promise((resolve) => {
    const startedAtMs = performance.now();
    const socket = connect({ host: server.host, port: server.port });
    let isDone = false;
    const finish = (answer: SoaAnswer): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(
      () => finish({ kind: 'failed', cause: new Error(`no answer within ${timeoutMs} ms`) }),
      timeoutMs,
    );
    let received = Buffer.alloc(0);
    socket.once('error', (cause) => finish({ kind: 'failed', cause }));
    socket.once('close', () => finish({ kind: 'failed', cause: new Error('closed without an answer') }));
    socket.once('connect', () => {
      const question = encode({
        type: 'query',
        id,
        flags: 0,
        questions: [{ type: 'SOA', name: origin.replace(/\.$/, '') }],
      });
      socket.write(Buffer.concat([Buffer.from([question.length >> 8, question.length & 255]), question]));
    });
    socket.on('data', (piece) => {
      received = Buffer.concat([received, piece]);
      if (received.length < 2) return;
      const length = received.readUInt16BE(0);
      if (received.length < 2 + length) return;
      const answer = readSoa(received.subarray(2, 2 + length), id, performance.now() - startedAtMs);
      finish(answer ?? { kind: 'failed', cause: new Error('the answer to another question') });
    });
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
