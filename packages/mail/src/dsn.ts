import type { FieldReader } from '@copain/trust';
import { envidMaxLength, orcptMaxLength } from './limits.ts';

/** What a sender wants to hear of a message (RFC 3461 §4.3, §4.4), as it said it: '' where it did not say. */
export interface MessageDsn {
  ret: '' | 'FULL' | 'HDRS';
  /** xtext, at most 100 characters. */
  envid: string;
}

/** What it wants to hear of one recipient (RFC 3461 §4.1, §4.2): '' where it did not say. */
export interface RecipientDsn {
  /** `NEVER`, or a list of `SUCCESS`, `FAILURE`, `DELAY` with commas. */
  notify: string;
  /** The recipient as the sender first knew it: address type, semicolon, xtext; at most 500 characters. */
  orcpt: string;
}

/** What nobody asked for. */
export const noMessageDsn: MessageDsn = { ret: '', envid: '' };
export const noRecipientDsn: RecipientDsn = { notify: '', orcpt: '' };

export function isRet(text: string): text is MessageDsn['ret'] {
  return text === '' || text === 'FULL' || text === 'HDRS';
}

/** xtext (RFC 3461 §4): printable ASCII without space, `+` and `=`, or `+` and two hexadecimal digits. */
const xtext = /^(?:[!-*,-<>-~]|\+[0-9A-F]{2})+$/;

export function isEnvid(text: string): boolean {
  return text === '' || (text.length <= envidMaxLength && xtext.test(text));
}

export function isNotify(text: string): boolean {
  return (
    text === '' ||
    text === 'NEVER' ||
    /^(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}$/.test(text)
  );
}

/** Also with letters beyond ASCII as they are, which RFC 6533 §3 allows where the transaction has SMTPUTF8. */
export function isOrcpt(text: string): boolean {
  if (text === '') return true;
  const [, address = ''] = /^[A-Za-z0-9-]{1,40};(.+)$/.exec(text) ?? [];
  return text.length <= orcptMaxLength && xtext.test(address.replaceAll(/[\u{a1}-\u{10ffff}]/gu, 'x'));
}

/** `decoded` as xtext; what is beyond ASCII stays as it is where `unitext`, and is an octet each otherwise. */
function encodeXtext(decoded: string, unitext: boolean): string {
  return decoded.replaceAll(/[^!-*,-<>-~]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code > 0xff || (unitext && code > 0xa0)) return character;
    return `+${code.toString(16).toUpperCase().padStart(2, '0')}`;
  });
}

/** An ENVID whose xtext the parser of the command has taken out, as xtext again. */
export function envidOf(decoded: string): string {
  return encodeXtext(decoded, false);
}

/** The same for an ORCPT: only what is behind the address type is xtext. */
export function orcptOf(decoded: string): string {
  const end = decoded.indexOf(';') + 1;
  const type = decoded.slice(0, end);
  return `${type}${encodeXtext(decoded.slice(end), type.toLowerCase() === 'utf-8;')}`;
}

/** The parameters of MAIL for a server that offers DSN; '' where there are none. */
export function mailDsnParameters({ ret, envid }: MessageDsn): string {
  return `${ret === '' ? '' : ` RET=${ret}`}${envid === '' ? '' : ` ENVID=${envid}`}`;
}

/** The parameters of RCPT for a server that offers DSN; '' where there are none. */
export function rcptDsnParameters({ notify, orcpt }: RecipientDsn): string {
  return `${notify === '' ? '' : ` NOTIFY=${notify}`}${orcpt === '' ? '' : ` ORCPT=${orcpt}`}`;
}

/** The optional fields `ret` and `envid` of a frame or an envelope from another box; wrong ones refuse it. */
export function readMessageDsn(fields: FieldReader): MessageDsn {
  const ret = optionalText(fields, 'ret', 4);
  const envid = optionalText(fields, 'envid', envidMaxLength);
  if (isRet(ret) && isEnvid(envid)) return { ret, envid };
  fields.refuse();
  return noMessageDsn;
}

/** The optional fields `notify` and `orcpt` of a frame from another box; wrong ones refuse it. */
export function readRecipientDsn(fields: FieldReader): RecipientDsn {
  const notify = optionalText(fields, 'notify', 30);
  const orcpt = optionalText(fields, 'orcpt', orcptMaxLength);
  if (isNotify(notify) && isOrcpt(orcpt)) return { notify, orcpt };
  fields.refuse();
  return noRecipientDsn;
}

function optionalText(fields: FieldReader, name: string, maxLength: number): string {
  return fields.has(name) ? fields.text(name, maxLength) : '';
}
