import {
  envidOf,
  isEnvid,
  isNotify,
  isOrcpt,
  isRet,
  type MessageDsn,
  noMessageDsn,
  noRecipientDsn,
  orcptOf,
  type RecipientDsn,
} from './dsn.ts';
import { addressMaxLength, messageMaxBytes, recipientsMax } from './limits.ts';
import type { MailDomain } from './mail-domain.ts';
import { type Reply, reply } from './smtp-reply.ts';

/** The parameters of MAIL that we understand and pass on (RFC 1870, RFC 3461, RFC 6152, RFC 6531). */
export interface MailParameters {
  sizeBytes?: number;
  body?: '7BIT' | '8BITMIME';
  smtpUtf8: boolean;
  dsn: MessageDsn;
}

export type SenderDecision =
  | { kind: 'accepted'; from: string; parameters: MailParameters }
  | { kind: 'refused'; reply: Reply };

export type RecipientDecision =
  | { kind: 'accepted'; address: string; domain: MailDomain }
  | { kind: 'refused'; reply: Reply };

const refused = (code: number, text: string): { kind: 'refused'; reply: Reply } => ({
  kind: 'refused',
  reply: reply(code, text),
});

/** Control characters, spaces and angle brackets: what could end a command line or an address and begin another. */
function isUnsafe(address: string): boolean {
  for (const character of address) {
    const code = character.codePointAt(0) ?? 0;
    if (code <= 0x20 || (code >= 0x7f && code < 0xa0) || character === '<' || character === '>') return true;
    if (code >= 0xd800 && code <= 0xdfff) return true;
  }
  return false;
}

function isAscii(text: string): boolean {
  for (const character of text) if ((character.codePointAt(0) ?? 0) > 0x7e) return false;
  return true;
}

/**
 * Is this a sender we can repeat in a MAIL command: empty (a bounce, RFC 5321 §4.5.5) or local@domain without anything
 * that could break the line? Whether it exists is for the owner's MTA to judge.
 */
export function isSender(address: string): boolean {
  if (address === '') return true;
  if (address.length > addressMaxLength - 2 || isUnsafe(address)) return false;
  const at = address.lastIndexOf('@');
  return at > 0 && at < address.length - 1;
}

/**
 * Judges MAIL. `parameters` are the ESMTP parameters as the listener parsed them, xtext decoded, `true` where one had no value. Unknown
 * ones are 555 (RFC 5321 §4.1.1.11), because they ask for something that would silently not happen.
 */
export function admitSender(address: string, parameters: ReadonlyMap<string, string | true>): SenderDecision {
  if (!isSender(address)) return refused(501, '5.1.7 bad sender address');
  const accepted: MailParameters = { smtpUtf8: false, dsn: noMessageDsn };
  for (const [name, value] of parameters) {
    if (name === 'SIZE' && typeof value === 'string' && /^\d{1,15}$/.test(value)) {
      accepted.sizeBytes = Number(value);
      if (accepted.sizeBytes > messageMaxBytes) return refused(552, '5.3.4 message too big');
    } else if (name === 'BODY' && typeof value === 'string' && /^(7BIT|8BITMIME)$/i.test(value)) {
      accepted.body = value.toUpperCase() as '7BIT' | '8BITMIME';
    } else if (name === 'SMTPUTF8' && value === true) accepted.smtpUtf8 = true;
    else if (name === 'RET' && typeof value === 'string' && isRet(value.toUpperCase()))
      accepted.dsn = { ...accepted.dsn, ret: value.toUpperCase() as MessageDsn['ret'] };
    else if (name === 'ENVID' && typeof value === 'string' && isEnvid(envidOf(value)))
      accepted.dsn = { ...accepted.dsn, envid: envidOf(value) };
    else if (name === 'RET' || name === 'ENVID') return refused(501, `5.5.4 bad ${name}`);
    else return refused(555, '5.5.4 parameter not recognised');
  }
  if (!isAscii(address) && !accepted.smtpUtf8) return refused(553, '5.6.7 this sender needs SMTPUTF8');
  return { kind: 'accepted', from: address, parameters: accepted };
}

/** The delivery reports that a sender asks for with one RCPT (RFC 3461 §4.1, §4.2), or the refusal of another parameter. */
export function admitRecipientParameters(
  parameters: ReadonlyMap<string, string | true>,
): { kind: 'accepted'; dsn: RecipientDsn } | { kind: 'refused'; reply: Reply } {
  let dsn = noRecipientDsn;
  for (const [name, value] of parameters) {
    if (name === 'NOTIFY' && typeof value === 'string' && isNotify(value.toUpperCase()))
      dsn = { ...dsn, notify: value.toUpperCase() };
    else if (name === 'ORCPT' && typeof value === 'string' && isOrcpt(orcptOf(value)))
      dsn = { ...dsn, orcpt: orcptOf(value) };
    else if (name === 'NOTIFY' || name === 'ORCPT') return refused(501, `5.5.4 bad ${name}`);
    else return refused(555, '5.5.4 RCPT parameter not recognised');
  }
  return { kind: 'accepted', dsn };
}

/** What of the transaction so far matters for its next recipient. */
export interface TransactionSoFar {
  ownerId: string | undefined;
  recipients: readonly string[];
  smtpUtf8: boolean;
}

/**
 * Judges one RCPT: whose it is, or why not. Never relays: only domains in the list, and no local part that another
 * server might take for a route (`a%b@`, `b!a@`, a quoted `@`). postmaster without a domain (RFC 5321 §4.5.1) goes to the
 * owner of this transaction, else to our own domain, else to the first in the list. One owner per transaction, because
 * one owner's MTA gives one answer: the other owner's recipients get 452 and come in a transaction of their own (RFC 5321
 * §4.5.3.1.10).
 */
export function admitRecipient(
  address: string,
  domains: readonly MailDomain[],
  soFar: TransactionSoFar,
): RecipientDecision {
  if (address.toLowerCase() === 'postmaster') {
    const home =
      domains.find(({ ownerId }) => ownerId === soFar.ownerId) ??
      domains.find(({ role }) => role === 'own') ??
      domains[0];
    if (!home) return refused(550, '5.7.1 relaying denied');
    return admitKnown(`postmaster@${home.domain}`, home, soFar);
  }
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at);
  const domainName = address
    .slice(at + 1)
    .toLowerCase()
    .replace(/\.$/, '');
  if (at <= 0 || address.length > addressMaxLength - 2 || isUnsafe(address))
    return refused(501, '5.1.3 bad recipient address');
  if (/[%!@]/.test(local)) return refused(550, '5.7.1 routed addresses are not relayed');
  if (!isLocalPart(local)) return refused(501, '5.1.3 bad recipient address');
  if (!isAscii(local) && !soFar.smtpUtf8) return refused(553, '5.6.7 this recipient needs SMTPUTF8');
  const domain = domains.find((one) => one.domain === domainName);
  if (!domain) return refused(550, '5.7.1 relaying denied');
  return admitKnown(`${local}@${domainName}`, domain, soFar);
}

function admitKnown(address: string, domain: MailDomain, soFar: TransactionSoFar): RecipientDecision {
  if (soFar.ownerId !== undefined && soFar.ownerId !== domain.ownerId)
    return refused(452, '4.5.3 this recipient in a transaction of its own, please');
  if (soFar.recipients.length >= recipientsMax && !soFar.recipients.includes(address))
    return refused(452, '4.5.3 too many recipients');
  return { kind: 'accepted', address, domain };
}

/** Dot-atom (RFC 5322 §3.2.3, UTF-8 as in RFC 6531), or a quoted string without quotes and backslashes inside. */
function isLocalPart(local: string): boolean {
  return /^[\w#$&'*+\-/=?^`{|}~\u{a0}-\u{10ffff}]+(?:\.[\w#$&'*+\-/=?^`{|}~\u{a0}-\u{10ffff}]+)*$/u.test(
    local,
  )
    ? true
    : /^"[^"\\]{1,62}"$/.test(local);
}
