import type { HostPort } from '@copain/core';
import type { Asker } from './answer.ts';
import { messageBytesMax, transfersAtOnceMax, udpEdnsBytesMax, udpPlainBytesMax } from './limits.ts';
import type { ResourceRecord } from './master-file.ts';
import { decodeMessage, decodeQuery, encodeMessage, Flag, type Incoming } from './message.ts';
import { type DomainName, type NameKey, nameKey, sameName } from './name.ts';
import { classIn, Rcode, RecordType } from './record-types.ts';
import { inOneMessage, type MessageSource, TransferMessages, withEmptyOpt } from './transfer-stream.ts';
import { signTsigRefusal, type TsigKeys, TsigSigner, verifyTsigQuery } from './tsig.ts';
import { findTsig, type TsigCrypto, type TsigKey, tsigRecordBytes, withoutTsig } from './tsig-record.ts';
import { soaOf } from './zone-changes.ts';
import { changeSince, type JournaledZone, oneChange, serialOf, wholeZone } from './zone-journal.ts';
import { isNewerSerial } from './zone-serial.ts';

/** A server that may have our zones: by its address, and where there is a key also by that. NOTIFY goes there. */
export interface TransferPeer {
  address: HostPort;
  key: TsigKey | undefined;
}

/** A zone as transfers find it. `awaited`, `expired`: there is such a zone, but nothing that could be sent now. */
export type TransferableZone = JournaledZone | 'awaited' | 'expired' | undefined;

/** One thing that a peer asked for and got. `fromSerial` is what he had, where he said so. */
export interface TransferFact {
  peer: string;
  origin: NameKey;
  how: TransferKind;
  fromSerial: number | undefined;
  serial: number | undefined;
  /** What `badsig` means (RFC 8945 §3): the error, the key that he named, and his clock less ours. */
  tsig?: { error: number; keyName: DomainName; aheadS: number };
}

/**
 * `axfr`, `ixfr`: sent to the end. `current`: told that what he has is the newest, or over UDP which that is. `broken`:
 * the connection ended before the transfer did. `busy`: too many at once. `refused`, `badsig`: not allowed.
 */
export type TransferKind = 'axfr' | 'ixfr' | 'current' | 'broken' | 'busy' | 'refused' | 'badsig' | 'failed';

export interface TransferOutOptions {
  peers: readonly TransferPeer[];
  crypto: TsigCrypto;
  /** The zone of this name, as it is served at this instant. */
  find(origin: NameKey): TransferableZone;
  /** Zones that nobody but the peers hears of, SOA queries included (a catalog). */
  isHidden(origin: NameKey): boolean;
  /** Answers whatever is no matter of transfers. */
  answer(query: Uint8Array, asker: Asker): Uint8Array | undefined;
  noted(fact: TransferFact): void;
}

type Query = Extract<Incoming, { kind: 'query' }>;

/** Who asks, proven; and how the answer is signed. */
interface Client {
  asker: Asker;
  peer: TransferPeer | undefined;
  signer: TsigSigner | undefined;
  signatureBytes: number;
}

/** Answers the queries of the servers that may have our zones (RFC 5936 §5, RFC 1995 §3), signed where they have a key. */
export class TransferOut {
  readonly #options: TransferOutOptions;
  readonly #peersAt = new Map<string, TransferPeer[]>();
  readonly #keysAt = new Map<string, TsigKeys>();
  #running = 0;

  constructor(options: TransferOutOptions) {
    this.#options = options;
    for (const peer of options.peers) {
      const host = sourceOf(peer.address.host);
      const peers = [...(this.#peersAt.get(host) ?? []), peer];
      this.#peersAt.set(host, peers);
      const keys = peers.flatMap(({ key }) => (key ? [[nameKey(key.name), key] as const] : []));
      this.#keysAt.set(host, new Map(keys));
    }
  }

  /** Is this the address of a peer? Queries from everybody else are answered as if there were no transfers. */
  concerns(address: string): boolean {
    return this.#peersAt.has(sourceOf(address));
  }

  /** The answer to a query from the address of a peer: one message, several, or none. Never throws. */
  answer(query: Uint8Array, asker: Asker): Uint8Array | MessageSource | undefined {
    const incoming = decodeQuery(query);
    if (incoming.kind !== 'query') return this.#options.answer(query, asker);
    const { crypto } = this.#options;
    const nowS = Math.floor(asker.nowMs / 1000);
    const keys = this.#keysAt.get(sourceOf(asker.address)) ?? new Map<NameKey, TsigKey>();
    const verdict = verifyTsigQuery(query, { keys, crypto, nowS });
    switch (verdict.kind) {
      case 'malformed':
        return failed(incoming, Rcode.formErr);
      case 'refused':
        this.#note(incoming, asker, {
          how: 'badsig',
          tsig: {
            error: verdict.error,
            keyName: verdict.tsig.keyName,
            aheadS: verdict.tsig.timeS - nowS,
          },
        });
        return signTsigRefusal(failed(incoming, Rcode.notAuth), verdict, { crypto, nowS });
      case 'unsigned': {
        const peer = this.#peersAt.get(sourceOf(asker.address))?.find(({ key }) => key === undefined);
        return this.#serve(query, incoming, { asker, peer, signer: undefined, signatureBytes: 0 });
      }
      case 'verified': {
        const { key, tsig } = verdict;
        const peer = this.#peersAt.get(sourceOf(asker.address))?.find((one) => one.key === key);
        const signer = new TsigSigner({ key, crypto, queryMac: tsig.mac });
        const client = { asker, peer, signer, signatureBytes: tsigRecordBytes(key) };
        return this.#serve(query, incoming, client);
      }
    }
  }

  #serve(query: Uint8Array, incoming: Query, client: Client): Uint8Array | MessageSource | undefined {
    const { question } = incoming;
    if (question.type === RecordType.AXFR || question.type === RecordType.IXFR)
      return this.#transfer(query, incoming, client);
    if (question.type === RecordType.SOA && question.class === classIn && client.peer) {
      const key = nameKey(question.name);
      const zone = this.#options.isHidden(key) ? this.#options.find(key) : undefined;
      if (typeof zone === 'object') return signed(oneSoa(incoming, soaOf(zone.zone)), incoming, client);
    }
    const answer = this.#options.answer(client.signer ? unsigned(query) : query, client.asker);
    return answer && signed(answer, incoming, client);
  }

  #transfer(query: Uint8Array, incoming: Query, client: Client): Uint8Array | MessageSource {
    const { question } = incoming;
    const isIxfr = question.type === RecordType.IXFR;
    const fail = (rcode: number, how: TransferKind): Uint8Array => {
      this.#note(incoming, client.asker, { how });
      return signed(failed(incoming, rcode), incoming, client);
    };
    // RFC 5936 §4.2: AXFR over UDP is not defined.
    if (!isIxfr && client.asker.transport === 'udp') return fail(Rcode.formErr, 'refused');
    if (!client.peer || question.class !== classIn) return fail(Rcode.refused, 'refused');
    const found = this.#options.find(nameKey(question.name));
    if (found === 'awaited' || found === 'expired') return fail(Rcode.servFail, 'failed');
    if (!found) return fail(Rcode.notAuth, 'refused');
    const fromSerial = isIxfr ? serialInQuery(query, incoming) : undefined;
    if (isIxfr && fromSerial === undefined) return fail(Rcode.formErr, 'refused');
    const { zone } = found;
    const isCurrent = fromSerial !== undefined && isNewerSerial(zone.serial, fromSerial) !== true;
    if (!isCurrent && fromSerial !== undefined && client.asker.transport === 'udp') {
      const datagram = changeInDatagram(incoming, client, changeSince(found, fromSerial));
      if (datagram) {
        this.#note(incoming, client.asker, { how: 'ixfr', fromSerial, serial: zone.serial });
        return signed(datagram, incoming, client);
      }
    }
    if (isCurrent || client.asker.transport === 'udp') {
      // RFC 1995 §2: one SOA says which the newest version is; where what changed fits no datagram, he comes by TCP.
      this.#note(incoming, client.asker, { how: 'current', fromSerial, serial: zone.serial });
      return signed(oneSoa(incoming, soaOf(zone)), incoming, client);
    }
    if (this.#running >= transfersAtOnceMax) return fail(Rcode.servFail, 'busy');
    return this.#start(incoming, client, { found, fromSerial });
  }

  /** RFC 1995 §4: a change where there is one, else the whole zone in the same form as AXFR has. */
  #start(
    incoming: Query,
    client: Client,
    { found, fromSerial }: { found: JournaledZone; fromSerial: number | undefined },
  ): MessageSource {
    const change = fromSerial === undefined ? undefined : changeSince(found, fromSerial);
    const { zone } = found;
    const records = change ? oneChange(change) : wholeZone(zone, soaOf(zone));
    const { id, question, edns } = incoming;
    const { signer, signatureBytes } = client;
    const messages = new TransferMessages(
      { id, question, hasEdns: edns !== undefined, signer, signatureBytes },
      records,
    );
    this.#running++;
    // The asker is only valid during the call.
    const { address } = client.asker;
    let isOpen = true;
    return {
      next: (nowMs) => messages.next(nowMs),
      close: (outcome) => {
        if (!isOpen) return;
        isOpen = false;
        this.#running--;
        const how = outcome === 'broken' ? 'broken' : change ? 'ixfr' : 'axfr';
        this.#note(incoming, { address }, { how, fromSerial, serial: zone.serial });
      },
    };
  }

  #note(
    { question }: Query,
    { address }: { address: string },
    fact: Pick<TransferFact, 'how' | 'tsig'> & Partial<Pick<TransferFact, 'fromSerial' | 'serial'>>,
  ): void {
    const origin = nameKey(question.name);
    this.#options.noted({ fromSerial: undefined, serial: undefined, ...fact, peer: address, origin });
  }
}

/**
 * An address as it is compared: which of its own loopback addresses a machine asks from is chance, and nobody else can
 * ask from any of them.
 */
function sourceOf(address: string): string {
  return address.startsWith('127.') ? '127.0.0.1' : address;
}

/** The serial of the version that the client has (RFC 1995 §3), undefined where he did not say it. */
function serialInQuery(query: Uint8Array, { question }: Query): number | undefined {
  const [soa] = decodeMessage(query)?.authority ?? [];
  if (soa?.type !== RecordType.SOA || !sameName(soa.owner, question.name)) return undefined;
  return soa.rdata.length < 22 ? undefined : serialOf(soa);
}

/** The query without its TSIG, under the id that its answer must have. */
function unsigned(query: Uint8Array): Uint8Array {
  const found = findTsig(query);
  if (found.kind !== 'found') return query;
  const bytes = withoutTsig(query, found.tsig, found.at);
  bytes.set(query.subarray(0, 2));
  return bytes;
}

function answerTo(
  { id, flags, question, edns }: Query,
  { rcode, answers, more }: { rcode: number; answers: readonly ResourceRecord[]; more: number },
): Uint8Array {
  const message = encodeMessage({
    id,
    flags: Flag.response | (flags & Flag.recursionDesired) | more | rcode,
    questions: [question],
    answers: answers.map((record) => ({ ...record, class: classIn })),
    authority: [],
    additional: [],
  });
  if (!message) throw new RangeError('a question and one record fit in every message');
  return edns ? withEmptyOpt(message) : message;
}

function failed(incoming: Query, rcode: number): Uint8Array {
  return answerTo(incoming, { rcode, answers: [], more: 0 });
}

function oneSoa(incoming: Query, soa: ResourceRecord): Uint8Array {
  return answerTo(incoming, { rcode: Rcode.noError, answers: [soa], more: Flag.authoritative });
}

/** How large a datagram this client takes. */
function datagramBytes({ edns }: Query): number {
  return edns ? Math.min(Math.max(edns.payloadBytes, udpPlainBytesMax), udpEdnsBytesMax) : udpPlainBytesMax;
}

/** What changed, where it fits into one datagram with its signature (RFC 1995 §2). */
function changeInDatagram(
  incoming: Query,
  { signatureBytes }: Client,
  change: ReturnType<typeof changeSince>,
): Uint8Array | undefined {
  if (!change) return undefined;
  const { id, question, edns } = incoming;
  const room = datagramBytes(incoming) - signatureBytes;
  return inOneMessage({ id, question, hasEdns: edns !== undefined }, oneChange(change), room);
}

/** Signed where the query was. What then does not fit into a datagram goes as a truncated answer (RFC 8945 §5.3). */
function signed(answer: Uint8Array, incoming: Query, { asker, signer, signatureBytes }: Client): Uint8Array {
  if (!signer) return answer;
  const room = asker.transport === 'tcp' ? messageBytesMax : datagramBytes(incoming);
  const fits = answer.length + signatureBytes <= room;
  const sent = fits
    ? answer
    : answerTo(incoming, { rcode: Rcode.noError, answers: [], more: Flag.truncated });
  return signer.sign(sent, Math.floor(asker.nowMs / 1000));
}
