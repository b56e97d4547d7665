import {
  base32Decode,
  base32Encode,
  concatBytes,
  equalBytes,
  formatHostPort,
  fromHex,
  parseHostPort,
  toHex,
} from '@copain/core';
import { decodeCanonical, encodeCanonical, readFields } from './canonical.ts';
import { maxInviteContacts, maxInviteTextLength } from './limits.ts';
import { keyFromPeerId, peerIdFromKey } from './peer-id.ts';

/** What an invite text carries: the circle, up to three members who can admit (the inviter first), the one-time seed. */
export interface InviteText {
  /** 64 hexadecimal characters. */
  circle: string;
  contacts: { peer: string; address: string }[];
  /** 32 bytes, from which the one-time Ed25519 key is made. */
  seed: Uint8Array;
}

/** SHA-256, given by io: pure code does not hash. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** An invite's id (16 hexadecimal characters), from the public half of its one-time key, a PeerId text. */
export function inviteIdOf(key: string, sha256: Sha256): string {
  return toHex(sha256(keyFromPeerId(key) ?? new Uint8Array()).slice(0, 8));
}

const prefix = 'peer1-';
const checksumBytes = 4;

/** The text `peer1-…`: base32 of canonical CBOR and the first four bytes of its SHA-256. */
export function encodeInviteText(invite: InviteText, sha256: Sha256): string {
  const body = encodeCanonical({
    c: fromHex(invite.circle) ?? new Uint8Array(),
    s: invite.seed,
    m: invite.contacts
      .slice(0, maxInviteContacts)
      .map(({ peer, address }) => [keyFromPeerId(peer) ?? new Uint8Array(), address]),
  });
  return prefix + base32Encode(concatBytes(body, sha256(body).subarray(0, checksumBytes)));
}

/**
 * Reads an invite text; white space and line breaks that a chat program put in are ignored, case too. `why` is one
 * line for the person who pasted it.
 */
export function decodeInviteText(
  text: string,
  sha256: Sha256,
): { kind: 'ok'; invite: InviteText } | { kind: 'refused'; why: string } {
  const refused = (why: string): { kind: 'refused'; why: string } => ({ kind: 'refused', why });
  const packed = text.replaceAll(/\s+/g, '').toLowerCase();
  if (packed === '') return refused('no invite code was given');
  if (!packed.startsWith('peer')) return refused("this is not an invite code: one begins with 'peer1-'");
  if (!packed.startsWith(prefix)) {
    return refused(
      "this invite code has a form that this version does not know (it knows 'peer1-'); update copain",
    );
  }
  if (packed.length > maxInviteTextLength) return refused('this invite code is too long to be one');
  const bytes = base32Decode(packed.slice(prefix.length));
  if (bytes === undefined || bytes.length <= checksumBytes) return refused(altered);
  const body = bytes.subarray(0, bytes.length - checksumBytes);
  const checksum = bytes.subarray(bytes.length - checksumBytes);
  if (!equalBytes(sha256(body).subarray(0, checksumBytes), checksum)) return refused(altered);
  const fields = readFields(decodeCanonical(body, maxInviteTextLength));
  const circle = toHex(fields.bytes('c', 32, 32));
  const seed = fields.bytes('s', 32, 32);
  const contacts = fields.list('m', maxInviteContacts).flatMap((contact) => {
    const [key, address] = Array.isArray(contact) ? contact : [];
    const parsed = typeof address === 'string' ? parseHostPort(address) : undefined;
    if (!(key instanceof Uint8Array) || key.length !== 32 || parsed === undefined) {
      fields.refuse();
      return [];
    }
    return [{ peer: peerIdFromKey(key), address: formatHostPort(parsed) }];
  });
  if (!fields.ok || contacts.length === 0) return refused(altered);
  return { kind: 'ok', invite: { circle, contacts, seed } };
}

const altered = 'this invite code is damaged: its checksum does not fit; copy it again, whole';
