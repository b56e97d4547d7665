import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type DecodedPacket, decode } from 'dns-packet';
import type { Address } from './box.ts';

/** One DNS message as it went over the wire, read by a decoder that is not ours. */
export interface CapturedMessage {
  transport: 'udp' | 'tcp';
  /** `host port` of the side that is not the server. */
  client: string;
  fromClient: boolean;
  sizeBytes: number;
  /** Seconds since 1970; of a message over TCP, when its last octet came. */
  atS: number;
  packet: DecodedPacket;
}

/** Records what passes between some servers and anybody, on loopback, until it is stopped. Needs root and tcpdump. */
export interface Capture extends AsyncDisposable {
  /** Ends it, and gives all messages in the order in which they were whole. */
  stop(): Promise<CapturedMessage[]>;
}

export async function startCapture(...servers: readonly Address[]): Promise<Capture> {
  const filter = servers.map(({ host, port }) => `(host ${host} and port ${port})`).join(' or ');
  const options = ['-i', 'lo', '--immediate-mode', '-U', '-B', '16384', '-s', '0', '-Z', 'root', '-w', '-'];
  const child = spawn('tcpdump', [...options, filter], { stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => void chunks.push(chunk));
  const gone = once(child, 'close');
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('listening on')) resolve();
    });
    child.once('close', () => reject(new Error(`tcpdump ended: ${said}`)));
  });
  const end = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT');
    await gone;
  };
  return {
    stop: async () => {
      await end();
      if (!/\b0 packets dropped by kernel/.test(said)) throw new Error(`tcpdump lost packets: ${said}`);
      return messagesIn(Buffer.concat(chunks), servers);
    },
    [Symbol.asyncDispose]: end,
  };
}

interface Segment {
  atS: number;
  transport: 'udp' | 'tcp';
  from: string;
  to: string;
  isSyn: boolean;
  sequence: number;
  payload: Buffer;
}

/** What lies in a file of libpcap's format, with Ethernet frames of IPv4 as loopback has them. */
function* segmentsIn(pcap: Buffer): Generator<Segment, void, void> {
  if (pcap.readUInt32LE(0) !== 0xa1b2c3d4 || pcap.readUInt32LE(20) !== 1)
    throw new Error('not a capture of Ethernet frames');
  for (let at = 24; at + 16 <= pcap.length; ) {
    const frame = pcap.subarray(at + 16, at + 16 + pcap.readUInt32LE(at + 8));
    const atS = pcap.readUInt32LE(at) + pcap.readUInt32LE(at + 4) / 1e6;
    at += 16 + frame.length;
    if (frame.readUInt16BE(12) !== 0x0800) continue;
    const packet = frame.subarray(14, 14 + frame.readUInt16BE(16));
    const inner = packet.subarray(4 * ((packet[0] ?? 0) & 15));
    const host = (offset: number): string => [...packet.subarray(offset, offset + 4)].join('.');
    const [from, to] = [`${host(12)} ${inner.readUInt16BE(0)}`, `${host(16)} ${inner.readUInt16BE(2)}`];
    if (packet[9] === 17)
      yield { atS, transport: 'udp', from, to, isSyn: false, sequence: 0, payload: inner.subarray(8) };
    if (packet[9] !== 6) continue;
    const isSyn = ((inner[13] ?? 0) & 2) !== 0;
    const payload = inner.subarray(4 * ((inner[12] ?? 0) >> 4));
    yield { atS, transport: 'tcp', from, to, isSyn, sequence: inner.readUInt32BE(4), payload };
  }
}

function messagesIn(pcap: Buffer, servers: readonly Address[]): CapturedMessage[] {
  const here = new Set(servers.map(({ host, port }) => `${host} ${port}`));
  const streams = new Map<string, { next: number; early: Map<number, Buffer>; bytes: Buffer }>();
  const messages: CapturedMessage[] = [];
  for (const { atS, transport, from, to, isSyn, sequence, payload } of segmentsIn(pcap)) {
    const fromClient = here.has(to);
    const take = (bytes: Buffer): void => {
      const client = fromClient ? from : to;
      const packet = decode(bytes);
      messages.push({ transport, client, fromClient, sizeBytes: bytes.length, atS, packet });
    };
    if (transport === 'udp') {
      take(payload);
      continue;
    }
    const key = `${from} ${to}`;
    if (isSyn) streams.set(key, { next: (sequence + 1) >>> 0, early: new Map(), bytes: Buffer.alloc(0) });
    const stream = streams.get(key);
    if (stream === undefined || payload.length === 0) continue;
    stream.early.set(sequence, payload);
    for (let part = stream.early.get(stream.next); part; part = stream.early.get(stream.next)) {
      stream.early.delete(stream.next);
      stream.next = (stream.next + part.length) >>> 0;
      stream.bytes = Buffer.concat([stream.bytes, part]);
    }
    while (stream.bytes.length >= 2 && stream.bytes.length >= 2 + stream.bytes.readUInt16BE(0)) {
      const end = 2 + stream.bytes.readUInt16BE(0);
      take(stream.bytes.subarray(2, end));
      stream.bytes = stream.bytes.subarray(end);
    }
  }
  return messages;
}

/** A zone transfer as it was captured: what was asked for, and the records that came. */
export interface CapturedTransfer {
  zone: string;
  type: string;
  /** The key that the query was signed with. */
  key: string | undefined;
  /** What the client said that it had. */
  fromSerial: number | undefined;
  /** The serials of the answer's SOA records in their order, and in brackets how many other records stood between. */
  shape: string;
  /** Of all messages of the answer. */
  sizeBytes: number;
  messages: number;
}

/** The transfers among these messages that came over TCP and were answered. */
export function transfersIn(messages: readonly CapturedMessage[]): CapturedTransfer[] {
  return messages.flatMap((query, index) => {
    const [question] = query.packet.questions ?? [];
    const type = String(question?.type);
    if (!query.fromClient || query.transport !== 'tcp' || !['AXFR', 'IXFR'].includes(type)) return [];
    const answers = messages
      .slice(index)
      .filter(
        ({ client, fromClient, packet }) =>
          client === query.client && !fromClient && packet.id === query.packet.id,
      );
    const records = answers.flatMap(({ packet }) => packet.answers ?? []);
    const shape: string[] = [];
    let others = 0;
    for (const record of records) {
      if (record.type !== 'SOA') {
        others++;
        continue;
      }
      if (others > 0) shape.push(`(${others})`);
      others = 0;
      shape.push(String(record.data.serial));
    }
    const [had] = query.packet.authorities ?? [];
    return [
      {
        zone: question?.name ?? '',
        type,
        key: query.packet.additionals?.find((record) => String(record.type) === 'TSIG')?.name,
        fromSerial: had?.type === 'SOA' ? had.data.serial : undefined,
        shape: shape.join(' '),
        sizeBytes: answers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        messages: answers.length,
      },
    ];
  });
}
