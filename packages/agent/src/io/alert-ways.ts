import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { toHex, toUtf8 } from '@copain/core';
import { sendNote } from '@copain/mail/io';
import { sha256 } from '@copain/mesh/io';
import { alertLimits } from '../alert-limits.ts';
import type { AlertMessage } from '../alert-message.ts';
import type { AlertConfig, AlertPlace } from '../config-alert.ts';
import { besideConfig } from '../config-paths.ts';
import type { Config } from '../config-schema.ts';
import { alertMail } from './alert-mail.ts';
import { runHook } from './run-hook.ts';

/** What every way needs to know of the box. */
export interface AlertSender {
  config: Config;
  configFile: string;
  /** The PeerId of this box: two boxes may say the same. */
  peer: string;
  nowMs: number;
}

/**
 * Gives one message to one place, once. Resolves when it was taken; rejects with an Error that says in one line why it was
 * not, without any secret. Never longer than `alertLimits.sendMs`.
 */
export async function sendAlert(
  message: AlertMessage,
  alert: AlertConfig,
  sender: AlertSender,
  stopping: AbortSignal,
): Promise<void> {
  const late = AbortSignal.timeout(alertLimits.sendMs);
  const signal = AbortSignal.any([late, stopping]);
  try {
    await send(message, alert, sender, signal);
  } catch (error) {
    if (late.aborted) throw new Error(`no answer within ${alertLimits.sendMs / 1000} s`, { cause: error });
    throw new Error(reason(error), { cause: error });
  }
}

/** fetch hides why it failed behind "fetch failed", and an SMTP conversation behind the name of the server. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause : undefined;
  return cause === undefined || cause.message === '' ? error.message : `${error.message}: ${cause.message}`;
}

async function send(
  message: AlertMessage,
  alert: AlertConfig,
  sender: AlertSender,
  signal: AbortSignal,
): Promise<void> {
  const { place } = alert;
  const id = toHex(sha256(toUtf8(`${sender.peer} ${message.id}`))).slice(0, 32);
  const json = JSON.stringify({ ...message.document, id });
  switch (place.kind) {
    case 'exec':
      await runHook([place.path], {
        input: `${json}\n`,
        env: { COPAIN_ALERT_KIND: message.kind, COPAIN_ALERT_LEVEL: message.weight },
        limits: { forMs: alertLimits.sendMs, outputBytes: alertLimits.outputBytes },
        signal,
      });
      return;
    case 'mail':
      await mailAlert(message, { ...alert, place }, sender, { id, signal });
      return;
    case 'ntfy': {
      const tags = { alert: 'warning', over: 'white_check_mark', test: 'bell' }[message.kind];
      const headers = {
        'content-type': 'text/plain; charset=utf-8',
        title: headerValue(message.title),
        priority: message.weight === 'danger' ? 'high' : 'default',
        tags,
      };
      await request('POST', place.url, { headers, body: message.text }, alert, sender, signal);
      return;
    }
    case 'webhook': {
      const headers = { 'content-type': 'application/json', 'idempotency-key': id };
      await request('POST', place.url, { headers, body: json }, alert, sender, signal);
      return;
    }
    case 'matrix': {
      const path = `/_matrix/client/v3/rooms/${encodeURIComponent(place.room)}/send/m.room.message/${id}`;
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ msgtype: 'm.text', body: `${message.title}\n${message.text}` });
      await request('PUT', `${place.server}${path}`, { headers, body }, alert, sender, signal);
      return;
    }
  }
}

/** ntfy reads its headers as encoded words (RFC 2047) where they are not ASCII. */
const headerValue = (text: string): string =>
  /^[\x20-\x7e]*$/.test(text) ? text : `=?UTF-8?B?${Buffer.from(text, 'utf8').toString('base64')}?=`;

async function request(
  method: 'POST' | 'PUT',
  url: string,
  content: { headers: Record<string, string>; body: string },
  alert: AlertConfig,
  sender: AlertSender,
  signal: AbortSignal,
): Promise<void> {
  const headers: Record<string, string> = { ...content.headers, 'user-agent': 'copain' };
  if (alert.tokenFile !== undefined)
    headers.authorization = `Bearer ${await readToken(besideConfig(sender.configFile, alert.tokenFile))}`;
  // A server that sends elsewhere would be sent the token as well.
  const answer = await fetch(url, { method, headers, body: content.body, redirect: 'manual', signal });
  const said = await firstBytes(answer);
  if (!answer.ok)
    throw new Error(`the server answers ${answer.status} ${answer.statusText}${said}`.trimEnd());
}

/** The start of what a server says of a refusal, read no further. */
async function firstBytes(answer: Response): Promise<string> {
  const reader = answer.body?.getReader();
  if (reader === undefined) return '';
  let text = '';
  while (!answer.ok && text.length < 200) {
    const { done, value } = await reader.read();
    if (done) break;
    text += Buffer.from(value).subarray(0, alertLimits.outputBytes).toString('utf8');
  }
  await reader.cancel();
  return text === '' ? '' : `: ${text.slice(0, 200).replaceAll(/\s+/g, ' ')}`;
}

async function readToken(path: string): Promise<string> {
  const token = (await readFile(path, 'utf8')).trim();
  if (token.length === 0 || token.length > alertLimits.tokenBytes || !/^[\x21-\x7e]+$/.test(token))
    throw new Error(`${path} holds no token: one line of printable characters without spaces`);
  return token;
}

async function mailAlert(
  message: AlertMessage,
  alert: AlertConfig & { place: AlertPlace & { kind: 'mail' } },
  { config, nowMs }: AlertSender,
  { id, signal }: { id: string; signal: AbortSignal },
): Promise<void> {
  const name = config.smtp.hostname ?? hostname();
  const [own] = config.mail;
  const to = alert.place.address;
  // A name without a dot is no domain that other mail servers take a sender from.
  const from =
    alert.from ??
    (own === undefined ? (name.includes('.') ? `copain@${name}` : to) : `postmaster@${own.domain}`);
  const via =
    alert.via === undefined && own !== undefined
      ? { address: own.deliver, form: own.client }
      : { address: alert.via ?? { host: '127.0.0.1', port: 25 }, form: 'none' as const };
  const bytes = alertMail(message, { from, to, id, nowMs });
  await sendNote({ ...via, hostname: name, from, to, message: bytes }, signal);
}
