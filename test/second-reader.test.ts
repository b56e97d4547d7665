import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  verify,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/**
 * A second reader of the wire, written from docs/wire.md with Node's own crypto and nothing of copain: what it needs and
 * the page does not say would be missing from the page.
 */
type Value = null | boolean | number | string | Buffer | Value[] | Map<string, Value>;

const read = (name: string) => JSON.parse(readFileSync(`test/vectors/${name}`, 'utf8'));
const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const sha256 = (...bytes: Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(bytes)).digest();

/** Section 2: throws for everything that must be refused. */
function readCbor(bytes: Buffer): Value {
  let at = 0;
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new Error('cut short');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const argument = (info: number): number => {
    if (info < 24) return info;
    const width = [1, 2, 4, 8][info - 24];
    if (width === undefined) throw new Error('indefinite or reserved');
    const value = Number(BigInt(`0x${take(width).toString('hex')}`));
    const least = { 1: 24, 2: 2 ** 8, 4: 2 ** 16, 8: 2 ** 32 }[width] ?? 0;
    if (value < least || !Number.isSafeInteger(value)) throw new Error('not the shortest, or too large');
    return value;
  };
  const item = (): Value => {
    const first = take(1)[0] ?? 0;
    const [major, info] = [first >> 5, first & 31];
    switch (major) {
      case 0:
        return argument(info);
      case 1:
        return -1 - argument(info);
      case 2:
        return take(argument(info));
      case 3:
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(take(argument(info)));
      case 4:
        return Array.from({ length: argument(info) }, item);
      case 5: {
        const map = new Map<string, Value>();
        let before = Buffer.alloc(0);
        for (let left = argument(info); left > 0; left--) {
          const key = item();
          if (typeof key !== 'string') throw new Error('a key is text');
          const name = Buffer.from(key);
          const order = name.length - before.length || Buffer.compare(name, before);
          if (map.size > 0 && order <= 0) throw new Error('order of keys');
          before = name;
          map.set(key, item());
        }
        return map;
      }
      case 7:
        if (first === 0xf4 || first === 0xf5) return first === 0xf5;
        if (first === 0xf6) return null;
        throw new Error('float or other simple value');
      default:
        throw new Error('tag');
    }
  };
  const value = item();
  if (at !== bytes.length) throw new Error('something follows');
  return value;
}

function mapOf(bytes: Buffer): Map<string, Value> {
  const value = readCbor(bytes);
  if (!(value instanceof Map)) throw new Error('no map');
  return value;
}

function varint(value: number): Buffer {
  return value < 128
    ? Buffer.of(value)
    : Buffer.concat([Buffer.of((value % 128) + 128), varint(Math.floor(value / 128))]);
}

const withLength = (bytes: Buffer): Buffer => Buffer.concat([varint(bytes.length), bytes]);

function isSignedBy(publicKey: Buffer, signed: Buffer, signature: Buffer): boolean {
  const der = Buffer.concat([hex('302a300506032b6570032100'), publicKey]);
  return verify(null, signed, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
}

/** Section 3, envelope: the key and the payload; throws where it must be refused. */
function openEnvelope(kind: string, limit: number, envelope: Buffer): { key: Buffer; payload: Buffer } {
  if (envelope.length > limit + 256) throw new Error('oversize');
  const fields = new Map<number, Buffer>();
  for (let at = 0; at < envelope.length; ) {
    const tag = envelope[at++] ?? 0;
    let [length, shift] = [0, 0];
    for (;;) {
      const byte = envelope[at++];
      if (byte === undefined) throw new Error('cut short');
      length += (byte & 127) * 2 ** shift;
      shift += 7;
      if (byte < 128) break;
    }
    if (tag % 8 !== 2 || at + length > envelope.length) throw new Error('not a field of an envelope');
    fields.set(tag >> 3, envelope.subarray(at, at + length));
    at += length;
  }
  const field = (number: number): Buffer => fields.get(number) ?? Buffer.alloc(0);
  const [publicKey, type, payload, signature] = [field(1), field(2), field(3), field(5)];
  const again = [...fields].flatMap(([number, bytes]) => [Buffer.of(number * 8 + 2), withLength(bytes)]);
  if ([...fields.keys()].join() !== '1,2,3,5' || !Buffer.concat(again).equals(envelope))
    throw new Error('another spelling');
  if (!publicKey.subarray(0, 4).equals(hex('08011220')) || publicKey.length !== 36) throw new Error('key');
  if (type.toString() !== `/copain/${kind}`) throw new Error('payload type');
  const signed = [Buffer.from(`copain/${kind}/1`), type, payload].map(withLength);
  if (!isSignedBy(publicKey.subarray(4), Buffer.concat(signed), signature)) throw new Error('signature');
  return { key: publicKey.subarray(4), payload };
}

const base58Alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** Section 1. The first of the 38 bytes is zero, which base58btc writes as a leading 1. */
function peerIdOf(publicKey: Buffer): string {
  let rest = BigInt(`0x2408011220${publicKey.toString('hex')}`);
  let text = '';
  for (; rest > 0n; rest /= 58n) text = base58Alphabet[Number(rest % 58n)] + text;
  return `1${text}`;
}

const keyOf = (peer: string): Buffer => {
  const digits = peer.split('').reduce((sum, digit) => sum * 58n + BigInt(base58Alphabet.indexOf(digit)), 0n);
  return hex(digits.toString(16).slice(-64));
};

/** The table of section 3, from the page itself. */
const page = readFileSync('docs/wire.md', 'utf8');
const limitOf = (kind: string): number =>
  Number(new RegExp(`^\\| \`${kind}\` \\| ([\\d,]+) \\|`, 'm').exec(page)?.[1]?.replace(',', ''));

const readVote = (payload: Buffer): void => {
  const map = mapOf(payload);
  const integer = (name: string, least: number): boolean => {
    const value = map.get(name);
    return typeof value === 'number' && value >= least;
  };
  const about = map.get('about');
  const known = ['v', 'type', 'about', 'silent', 'heardAt', 'sequence', 'crit'];
  const crit = map.get('crit') ?? [];
  const good =
    payload.length <= limitOf('vote') &&
    map.get('v') === 1 &&
    map.get('type') === 'vote' &&
    typeof about === 'string' &&
    peerIdOf(keyOf(about)) === about &&
    typeof map.get('silent') === 'boolean' &&
    integer('heardAt', 0) &&
    integer('sequence', 1) &&
    Array.isArray(crit) &&
    crit.every((name) => typeof name === 'string' && known.includes(name));
  if (!good) throw new Error('form');
};

/** What JSON says of a value, as the CBOR reader says it. */
function plain(json: unknown): Value {
  if (Array.isArray(json)) return json.map(plain);
  if (typeof json !== 'object' || json === null) return json as Value;
  const entries = Object.entries(json);
  if (entries.length === 1 && entries[0]?.[0] === 'hex') return hex(String(entries[0][1]));
  return new Map(entries.map(([key, item]) => [key, plain(item)]));
}

it('every record of the vectors opens, by the page alone', () => {
  for (const one of read('records.json').records) {
    const { key, payload } = openEnvelope(one.kind, limitOf(one.kind), hex(one.envelope));
    expect(peerIdOf(key), one.name).toBe(one.signer);
    expect(payload.toString('hex'), one.name).toBe(one.payload);
    expect(payload.length).toBeLessThanOrEqual(limitOf(one.kind));
    expect(readCbor(payload), one.name).toEqual(plain(one.fields));
    expect(sha256(payload).toString('hex')).toBe(one.payloadSha256);
    expect(sha256(hex(one.envelope)).toString('hex').slice(0, 16)).toBe(one.factHash);
  }
  for (const one of read('records.json').otherForms)
    readVote(openEnvelope(one.kind, limitOf(one.kind), hex(one.envelope)).payload);
});

it('what the vectors refuse is refused, by the page alone', () => {
  for (const one of read('refused.json').refused) {
    const open = () => openEnvelope(one.kind, limitOf(one.kind), hex(one.envelope)).payload;
    if (one.refusedBy === 'envelope') expect(open, one.name).toThrow();
    else expect(() => readVote(open()), one.name).toThrow();
  }
});

it('keys, ids, words, tags and the digest come out the same', () => {
  const keys = read('keys.json');
  const wordOf = (bits: number): string =>
    [12, 10, 6, 4, 0]
      .map((shift, i) =>
        i % 2 === 0 ? 'bdfghjklmnprstvz'[(bits >> shift) & 15] : 'aiou'[(bits >> shift) & 3],
      )
      .join('');
  const ids = [keys.alice.ownerId, keys.bob.ownerId].map(hex).sort((a, b) => Buffer.compare(a, b));
  const words = sha256(Buffer.from('copain/words/1'), ...ids);
  expect([0, 2, 4, 6].map((i) => wordOf(words.readUInt16BE(i)))).toEqual(keys.compareWords);
  expect(sha256(keyOf(keys.invite.key)).toString('hex').slice(0, 16)).toBe(keys.invite.id);

  const { records } = read('records.json');
  const [founder] = records;
  const ownerEnvelope = mapOf(hex(founder.payload)).get('owner') as Buffer;
  const owner = openEnvelope('owner', limitOf('owner'), ownerEnvelope);
  expect(sha256(owner.payload).toString('hex')).toBe(keys.alice.ownerId);
  expect(peerIdOf(owner.key)).toBe(keys.alice.owner);
  for (const use of ['owner', 'paper']) {
    const seed = Buffer.from(hkdfSync('sha256', keys.alice[`${use}Secret`], '', `copain/${use}-key/1`, 32));
    expect(publicKeyOfSeed(seed)).toBe(keys.alice[use]);
  }

  const sync = read('sync.json');
  for (const [peer, tag] of Object.entries(sync.tags))
    expect(keyOf(peer).subarray(28).toString('hex')).toBe(tag);
  const digestOf = (chosen: { name: string; kind: string; factHash: string }[]): string =>
    chosen
      .filter(({ name }) => sync.digestOf.includes(name))
      .reduce((sum, { factHash }) => sum ^ BigInt(`0x${factHash}`), 0n)
      .toString(16)
      .padStart(16, '0');
  expect(digestOf(records)).toBe(sync.digest);
  const without = (...kinds: string[]) =>
    records.filter(({ kind }: { kind: string }) => !kinds.includes(kind));
  const sinceVersion3 = ['probes', 'services', 'swap', 'takeover'];
  expect(digestOf(without(...sinceVersion3))).toBe(sync.digestVersion2);
  expect(digestOf(without('owner', 'receipt', ...sinceVersion3))).toBe(sync.digestVersion1);
});

/** The PeerId of an Ed25519 seed, by way of PKCS #8 (RFC 8410). */
function publicKeyOfSeed(seed: Buffer): string {
  const der = Buffer.concat([hex('302e020100300506032b657004220420'), seed]);
  const { x } = createPublicKey({ key: der, format: 'der', type: 'pkcs8' } as never).export({
    format: 'jwk',
  });
  return peerIdOf(Buffer.from(x ?? '', 'base64url'));
}

it('invite text, join proof and key proof are as the page says', () => {
  const join = read('join.json');
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  const bits = Array.from(join.inviteText.slice('peer1-'.length) as string)
    .map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0'))
    .join('');
  const bytes = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const body = bytes.subarray(0, -4);
  expect(sha256(body).subarray(0, 4)).toEqual(bytes.subarray(-4));
  const invite = mapOf(body);
  expect(invite.get('s')).toEqual(hex(join.invite.seed));
  expect(invite.get('c')).toEqual(hex(join.invite.circle));
  const contacts = (invite.get('m') as [Buffer, string][]).map(([key, address]) => ({
    peer: peerIdOf(key),
    address,
  }));
  expect(contacts).toEqual(join.invite.contacts);

  const { key } = read('keys.json').invite;
  expect(isSignedBy(keyOf(key), hex(join.joinProof.bytes), hex(join.joinProof.signature))).toBe(true);
  expect([...mapOf(hex(join.joinProof.bytes)).keys()]).toEqual([
    'd',
    'owner',
    'circle',
    'joiner',
    'challenge',
    'responder',
  ]);
  const { bytes: proof, signer, signature } = join.keyProof;
  expect(isSignedBy(keyOf(signer), hex(proof), hex(signature))).toBe(true);
  expect([...mapOf(hex(proof)).keys()]).toEqual(['d', 'key', 'epoch', 'owner', 'previous']);
});

it('every frame is canonical CBOR, with the fields that the vector says', () => {
  const files = ['join.json', 'sync.json', 'zone.json', 'mail.json', 'bulk.json', 'dialback.json'];
  const lists = files.flatMap((name) => Object.values(read(name)).filter(Array.isArray));
  const frames = lists.flat().filter((one) => typeof one === 'object' && 'frame' in one);
  expect(frames.length).toBeGreaterThan(40);
  for (const { fields, frame } of frames) expect(readCbor(hex(frame))).toEqual(plain(fields));
});

it('a recipient is known by the digest that the page describes', () => {
  const { key, domain, form, digest } = read('mail.json').recipientDigest;
  const said = createHmac('sha256', hex(key)).update(`copain/recipient/1\0${domain}\0${form}`).digest('hex');
  expect(said.slice(0, 32)).toBe(digest);
});

it('the carried form of a zone is read record by record, and is what its version says', () => {
  const zone = read('zone.json');
  const content = hex(zone.content);
  const records: string[] = [];
  for (let at = 0; at < content.length; ) {
    const labels: string[] = [];
    for (let length = content[at++] ?? 0; length > 0; length = content[at++] ?? 0) {
      labels.push(content.subarray(at, at + length).toString());
      at += length;
    }
    const [type, inClass, ttl] = [
      content.readUInt16BE(at),
      content.readUInt16BE(at + 2),
      content.readUInt32BE(at + 4),
    ];
    at += 10 + content.readUInt16BE(at + 8);
    records.push(`${labels.join('.')} ${type} ${inClass} ${ttl}`);
  }
  expect(records).toEqual([
    'alice.example 2 1 3600',
    'alice.example 2 1 3600',
    'alice.example 6 1 3600',
    'alice.example 15 1 3600',
    '_dns.alice.example 16 1 3600',
    'mail.alice.example 28 1 3600',
    'ns1.alice.example 1 1 3600',
  ]);
  const { records: signed } = read('records.json');
  const version = mapOf(hex(signed.find(({ kind }: { kind: string }) => kind === 'zone').payload));
  expect(sha256(content)).toEqual(version.get('contentHash'));
  expect(content.length).toBe(version.get('sizeBytes'));
});

/** The Montgomery form of an Ed25519 public key: u = (1 + y) / (1 - y) modulo 2^255 - 19 (RFC 7748 section 4.1). */
function montgomeryOf(key: Buffer): Buffer {
  const p = 2n ** 255n - 19n;
  const y = BigInt(`0x${Buffer.from(key).reverse().toString('hex')}`) % 2n ** 255n;
  // The extended algorithm of Euclid: `inverse` times (1 - y) is 1.
  let [a, b, before, inverse] = [p, (p + 1n - y) % p, 0n, 1n];
  while (b > 1n) [a, b, before, inverse] = [b, a % b, inverse, before - (a / b) * inverse];
  const u = ((((1n + y) * inverse) % p) + p) % p;
  return hex(u.toString(16).padStart(64, '0')).reverse();
}

it('a proof before Noise is what the page says, computed on the side of who reads it', () => {
  const vector = read('arrival.json');
  const { bob } = read('keys.json');
  const scalar = createHash('sha512').update(hex(bob.boxSeed)).digest().subarray(0, 32);
  const privateKey = createPrivateKey({
    key: Buffer.concat([hex('302e020100300506032b656e04220420'), scalar]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = createPublicKey({
    key: Buffer.concat([hex('302a300506032b656e032100'), montgomeryOf(keyOf(vector.by))]),
    format: 'der',
    type: 'spki',
  });
  const shared = diffieHellman({ privateKey, publicKey });
  const key = sha256(Buffer.from('copain friend 1\n'), shared);
  const span = Math.floor(vector.atMs / 300_000);
  const mac = (what: string, nonce: Buffer): string =>
    createHmac('sha256', key).update(`${what}\n${vector.by}\n${span}\n`).update(nonce).digest('hex');
  expect(vector.tag).toBe(mac('tag', Buffer.alloc(0)).slice(0, 16));
  expect(vector.mac).toBe(mac('mac', hex(vector.nonce)).slice(0, 32));
  const line = (text: string): string => `${String.fromCharCode(text.length + 1)}${text}\n`;
  const proposed = `/copain/friend/1/${vector.tag}${vector.nonce}${vector.mac}`;
  const greeting = line('/multistream/1.0.0');
  expect(hex(vector.said).toString('latin1')).toBe(greeting + line(proposed) + line('/noise'));
  expect(hex(vector.answer).toString('latin1')).toBe(greeting + line('na') + line('/noise'));
});
