import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createAnswerer } from '../answer.ts';
import { decodeMessage, encodeMessage, Flag } from '../message.ts';
import { nameOf } from '../name.ts';
import { Rcode, RecordType } from '../record-types.ts';
import { framed } from '../tcp-frames.ts';
import { zoneOf } from '../testing.ts';
import { TransferOut } from '../transfer-out.ts';
import { TransferMessages } from '../transfer-stream.ts';
import type { TsigKey } from '../tsig-record.ts';
import type { Zone } from '../zone.ts';
import { changeBetween, soaOf } from '../zone-changes.ts';
import { encodeZone } from '../zone-encoding.ts';
import { journalZones, oneChange, wholeZone, type ZoneJournal } from '../zone-journal.ts';
import { sha1 } from './hash.ts';
import { startDnsServer } from './listener.ts';
import { type PulledZone, pullZone } from './pull-zone.ts';
import { tsigCrypto } from './tsig-crypto.ts';

const origin = nameOf('alice.example');
const key: TsigKey = { name: nameOf('home'), algorithm: 'hmac-sha384', secret: new Uint8Array(32).fill(7) };
const filler = Array.from({ length: 40 }, (_, i) => `f${i} A 192.0.2.${i}`);

const signature = 'RRSIG A 13 3 300 20300101000000 20200101000000 1 alice.example. c2lnbmF0dXJl';
const [old, next] = [
  zoneOf(5, ...filler, 'a A 192.0.2.100'),
  zoneOf(6, ...filler, 'a A 192.0.2.101', `a ${signature}`),
];

/** A primary that served these zones one after the other, the last of them now. */
async function primaryOf(zones: readonly Zone[], peerKey?: TsigKey) {
  const journal = zones.reduce((all: ZoneJournal, zone) => journalZones(all, [zone]), new Map());
  const served = zones.at(-1) as Zone;
  const answerer = createAnswerer([{ zone: served, expired: false }], { sha1 });
  const out = new TransferOut({
    peers: [{ address: { host: '127.0.0.1', port: 53 }, key: peerKey }],
    crypto: tsigCrypto,
    find: (name) => journal.get(name),
    isHidden: () => false,
    answer: (query, asker) => answerer.answer(query, asker),
    noted: () => {},
  });
  const server = await startDnsServer({
    listen: [{ host: '127.0.0.1', port: 0 }],
    answer: (query, asker) => out.answer(query, asker),
  });
  const [address] = server.addresses();
  if (!address) throw new Error('no address');
  return { server, address };
}

/** A primary over TCP alone, which does with each query what it is told to. */
async function oddPrimary(answer: (query: Uint8Array, socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => answer(new Uint8Array(bytes.subarray(2)), socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return {
    address: { host: '127.0.0.1', port: bound.port },
    [Symbol.asyncDispose]: async () => await new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

function send(socket: Socket, query: Uint8Array, records: Iterable<Parameters<typeof wholeZone>[1]>): void {
  const message = decodeMessage(query);
  const [question] = message?.questions ?? [];
  if (!message || !question) throw new Error('no question');
  const messages = new TransferMessages(
    { id: message.id, question, hasEdns: false, signer: undefined, signatureBytes: 0 },
    records,
  );
  for (let one = messages.next(0); one; one = messages.next(0)) socket.write(framed(one));
}
const typeIn = (query: Uint8Array): number | undefined => decodeMessage(query)?.questions[0]?.type;

const pull = async (
  primary: { host: string; port: number },
  { sign, limits, ...more }: Partial<Parameters<typeof pullZone>[0]> & { sign?: TsigKey } = {},
): Promise<PulledZone> =>
  await pullZone({
    primary,
    origin,
    key: sign,
    have: undefined,
    signal: new AbortController().signal,
    limits: { answerMs: [500], connectMs: 500, stallMs: 300, ...limits },
    ...more,
  });
const failure = (pulled: PulledZone): string => (pulled.kind === 'failed' ? pulled.why : pulled.kind);

describe('a primary', () => {
  it('gives the whole zone with AXFR, then what changed with IXFR, then nothing, all signed', async () => {
    const { server, address } = await primaryOf([old, next], key);
    await using _ = server;
    const whole = await pull(address, { sign: key });
    if (whole.kind !== 'zone') throw new Error(failure(whole));
    expect(whole.fact).toMatchObject({ how: 'axfr', serial: 6 });
    expect(whole.content).toEqual(encodeZone(next));
    const changed = await pull(address, { have: old, sign: key });
    if (changed.kind !== 'zone') throw new Error(failure(changed));
    expect(changed.fact).toMatchObject({ how: 'ixfr', fromSerial: 5, serial: 6 });
    expect(changed.fact.bytes).toBeLessThan(whole.fact.bytes / 2);
    // Signatures come as they are: what is answered is what was signed.
    expect(changed.content).toEqual(encodeZone(next));
    expect((await pull(address, { have: next, sign: key })).kind).toBe('current');
  });

  it('that asks for a key gives nothing without it, and what is wrong is said', async () => {
    const { server, address } = await primaryOf([next], key);
    await using _ = server;
    expect(failure(await pull(address))).toMatch(/REFUSED/);
    const other = { ...key, secret: new Uint8Array(32).fill(9) };
    expect(failure(await pull(address, { sign: other }))).toMatch(/another secret \(BADSIG\)/);
    expect(failure(await pull(address, { sign: { ...key, name: nameOf('away') } }))).toMatch(
      /does not know the key.*\(BADKEY\)/,
    );
  });

  it('whose serial went back gives its zone all the same', async () => {
    const { server, address } = await primaryOf([old]);
    await using _ = server;
    const pulled = await pull(address, { have: next });
    if (pulled.kind !== 'zone') throw new Error(failure(pulled));
    expect(pulled.fact).toMatchObject({ how: 'axfr', fromSerial: 6, serial: 5 });
  });

  it('whose changes do not fit what is here is asked for everything, and why is told', async () => {
    const { server, address } = await primaryOf([old, next]);
    await using _ = server;
    const pulled = await pull(address, { have: zoneOf(5, ...filler, 'other A 192.0.2.9') });
    if (pulled.kind !== 'zone') throw new Error(failure(pulled));
    expect(pulled.fact).toMatchObject({ how: 'axfr', why: expect.stringContaining('do not fit') });
    expect(pulled.content).toEqual(encodeZone(next));
  });

  it('is asked over TCP where UDP has no answer, by its name too', async () => {
    await using odd = await oddPrimary((query, socket) =>
      send(socket, query, typeIn(query) === RecordType.SOA ? [soaOf(next)] : wholeZone(next, soaOf(next))),
    );
    expect((await pull({ host: 'localhost', port: odd.address.port })).kind).toBe('zone');
  });

  it('is asked over TCP at once where its answer over UDP is truncated', async () => {
    await using odd = await oddPrimary((query, socket) =>
      send(socket, query, typeIn(query) === RecordType.SOA ? [soaOf(next)] : wholeZone(next, soaOf(next))),
    );
    const udp = createSocket('udp4');
    let asked = 0;
    udp.on('message', (query, { port, address }) => {
      asked++;
      const { id = 0, questions = [] } = decodeMessage(query) ?? {};
      const flags = Flag.response | Flag.authoritative | Flag.truncated;
      const cut = encodeMessage({ id, flags, questions, answers: [], authority: [], additional: [] });
      if (cut) udp.send(cut, port, address);
    });
    udp.bind(odd.address.port, odd.address.host);
    await once(udp, 'listening');
    // With a second and a third question it would be asked again if that counted as no answer.
    const pulled = await pull(odd.address, { limits: { answerMs: [5000, 5000, 5000] } });
    await new Promise<void>((resolve) => void udp.close(resolve));
    expect([failure(pulled), asked]).toEqual(['zone', 1]);
  });

  it('that has two addresses is asked at the other one too where the first says no', async () => {
    const { server, address } = await primaryOf([next]);
    await using _ = server;
    await using refusing = await startDnsServer({
      listen: [{ host: '127.0.0.2', port: address.port }],
      answer: (query) => {
        const message = decodeMessage(query);
        return message && encodeMessage({ ...message, flags: Flag.response | Rcode.refused, additional: [] });
      },
    });
    const both = [...refusing.addresses(), address].map(({ host }) => host);
    const named = async () => await pull({ ...address, host: 'ns.example' }, { resolve: async () => both });
    expect((await named()).kind).toBe('zone');
    await server[Symbol.asyncDispose]();
    expect(failure(await named())).toMatch(
      /127\.0\.0\.2: it answered REFUSED.*; 127\.0\.0\.1: nothing listens there/,
    );
  });

  it('of many addresses is asked at the first four', async () => {
    const { server, address } = await primaryOf([next]);
    await server[Symbol.asyncDispose]();
    const resolve = async () => [1, 2, 3, 4, 5, 6].map((host) => `127.0.1.${host}`);
    const failed = failure(await pull({ ...address, host: 'ns.example' }, { resolve }));
    expect([...failed.matchAll(/127\.0\.1\.(\d)/g)].map(([, host]) => host)).toEqual(['1', '2', '3', '4']);
  });

  it('whose name is looked up for ever does not keep a box that stops', async () => {
    const stopping = new AbortController();
    const pulled = pull(
      { host: 'ns.example', port: 53 },
      { resolve: () => new Promise(() => stopping.abort()), signal: stopping.signal },
    );
    expect(failure(await pulled)).toMatch(/has no address now/);
  });

  it('that nothing listens at, or whose name has no address, is said to be so', async () => {
    const { server, address } = await primaryOf([next]);
    await server[Symbol.asyncDispose]();
    expect(failure(await pull(address))).toMatch(/connection refused/);
    expect(failure(await pull({ host: 'no.such.name.invalid', port: 53 }))).toMatch(/has no address now/);
  });
});

describe('a transfer that is not to be taken', () => {
  const after = (records: () => Iterable<Parameters<typeof wholeZone>[1]>, then: (socket: Socket) => void) =>
    oddPrimary((query, socket) => {
      if (typeIn(query) === RecordType.SOA) return send(socket, query, [soaOf(next)]);
      send(socket, query, records());
      then(socket);
    });
  const half = () => [...wholeZone(next, soaOf(next))].slice(0, 20);

  it('ends before its end', async () => {
    await using odd = await after(half, (socket) => socket.end());
    expect(failure(await pull(odd.address, { have: old }))).toMatch(/closed the connection before the end/);
  });

  it('stops and says nothing more', async () => {
    await using odd = await after(half, () => {});
    expect(failure(await pull(odd.address))).toMatch(/nothing came from it for 0\.3 s/);
  });

  it('is under way when the box stops', async () => {
    const stopping = new AbortController();
    await using odd = await after(half, () => stopping.abort());
    const began = pull(odd.address, { signal: stopping.signal, limits: { stallMs: 60_000 } });
    expect(failure(await began)).toMatch(/this box is stopping/);
  });

  it('drips on for longer than a transfer may take', async () => {
    let timer: NodeJS.Timeout | undefined;
    await using odd = await after(half, (socket) => {
      timer = setInterval(() => socket.write(Buffer.of(0xff)), 20);
      socket.on('close', () => clearInterval(timer));
    });
    expect(failure(await pull(odd.address, { limits: { transferMs: 400 } }))).toMatch(
      /not through after 0\.4 s/,
    );
  });

  it('is no zone: without NS, or with a CNAME beside other data', async () => {
    const records = [...wholeZone(next, soaOf(next))];
    const withoutNs = records.filter(({ type }) => type !== RecordType.NS);
    const alias = {
      owner: nameOf('a.alice.example'),
      type: RecordType.CNAME,
      ttl: 300,
      rdata: nameOf('b.example'),
    };
    for (const [sent, text] of [
      [withoutNs, /no NS record/],
      [[...records.slice(0, -1), alias, ...records.slice(-1)], /CNAME and other data/],
    ] as const) {
      await using odd = await after(
        () => sent,
        () => {},
      );
      const pulled = await pull(odd.address);
      if (pulled.kind !== 'mistaken') throw new Error(failure(pulled));
      expect(pulled.problems.map((problem) => problem.text).join()).toMatch(text);
      expect(pulled.problems[0]).toMatchObject({ line: 0, severity: 'error' });
    }
  });

  it('still has the version that was not taken: it is told again, and not transferred again', async () => {
    const asked: (number | undefined)[] = [];
    await using odd = await oddPrimary((query, socket) => {
      asked.push(typeIn(query));
      if (typeIn(query) === RecordType.SOA) send(socket, query, [soaOf(next)]);
      else
        send(
          socket,
          query,
          [...wholeZone(next, soaOf(next))].filter(({ type }) => type !== RecordType.NS),
        );
    });
    const first = await pull(odd.address);
    if (first.kind !== 'mistaken') throw new Error(failure(first));
    expect(first.isKnown).toBe(false);
    asked.length = 0;
    expect(await pull(odd.address, { mistaken: first })).toEqual({ ...first, isKnown: true });
    expect(asked).toEqual([RecordType.SOA]);
    expect(await pull(odd.address, { mistaken: { ...first, serial: first.serial - 1 } })).toMatchObject({
      kind: 'mistaken',
      isKnown: false,
    });
  });

  it('has a record outside the zone, in its changes as in the whole', async () => {
    const foreign = { owner: nameOf('x.other.example'), type: 1, ttl: 1, rdata: Uint8Array.of(1, 2, 3, 4) };
    const asked: (number | undefined)[] = [];
    await using odd = await oddPrimary((query, socket) => {
      const change = changeBetween(old, next);
      const type = typeIn(query);
      asked.push(type);
      if (type === RecordType.SOA) send(socket, query, [soaOf(next)]);
      else if (type === RecordType.IXFR)
        send(socket, query, oneChange({ ...change, added: [...change.added, foreign] }));
      else send(socket, query, [soaOf(next), foreign, soaOf(next)]);
    });
    expect(failure(await pull(odd.address, { have: old }))).toMatch(/lies outside the zone/);
    expect(asked).toEqual([RecordType.SOA, RecordType.IXFR, RecordType.AXFR]);
  });
});
