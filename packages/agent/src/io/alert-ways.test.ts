import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AlertMessage, testMessage } from '../alert-message.ts';
import { parseConfig } from '../config.ts';
import { headerText } from './alert-mail.ts';
import { sendAlert } from './alert-ways.ts';

const folder = mkdtempSync(join(tmpdir(), 'copain-ways-'));
const nowMs = Date.UTC(2026, 10, 22, 22, 30);
const message = testMessage({ name: 'alice', nowMs, id: 'test-1' });

interface Got {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
}
let server: Server;
let port = 0;
let got: Got[] = [];
let answer: { status: number; body: string; headers?: Record<string, string> } = { status: 200, body: 'ok' };

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const { method, url, headers } = request;
      got.push({ method, url, headers, body });
      response.writeHead(answer.status, answer.headers).end(answer.body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
beforeEach(() => {
  got = [];
  answer = { status: 200, body: 'ok' };
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

/** A mail server for one message: what it was told, and the message. `refuse`: its answer to RCPT. */
async function mailServer(refuse?: string) {
  const told: string[] = [];
  let data = '';
  const listening = createTcpServer((socket) => {
    let isData = false;
    const answers: Record<string, string> = { DATA: '354 go on', QUIT: '221 bye', RCPT: refuse ?? '250 ok' };
    socket.write('220 mx.test ESMTP\r\n');
    socket.setEncoding('latin1').on('data', (text: string) => {
      for (const line of text.split('\r\n').slice(0, -1)) {
        if (isData && line !== '.') data += `${line}\r\n`;
        else {
          isData = line === 'DATA';
          if (line !== '.') told.push(line);
          if (!line.startsWith('PROXY')) socket.write(`${answers[line.slice(0, 4)] ?? '250 ok'}\r\n`);
        }
      }
    });
    socket.on('error', () => {});
  });
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  return {
    at: `127.0.0.1:${(listening.address() as AddressInfo).port}`,
    told,
    data: () => data,
    [Symbol.dispose]: () => listening.close(),
  };
}

/** Sends on the one way that this table names. */
async function send(table: string, sent: AlertMessage = message): Promise<void> {
  const parsed = parseConfig(`name = "alice"\n[smtp]\nhostname = "mx.alice.example"\n${table}`, {
    fileName: 'peer.toml',
  });
  if (parsed.kind === 'bad') throw new Error(JSON.stringify(parsed.problems));
  const [alert] = parsed.config.alerts;
  if (alert === undefined) throw new Error('no [[alert]]');
  const sender = {
    config: parsed.config,
    configFile: join(folder, 'peer.toml'),
    peer: '12D3KooWtest',
    nowMs,
  };
  await sendAlert(sent, alert, sender, new AbortController().signal);
}

describe('a webhook', () => {
  it('gets the document as JSON, with a key that is the same for the same content', async () => {
    await send(`[[alert]]\nto = "http://127.0.0.1:${port}/hook?x=1"`);
    await send(`[[alert]]\nto = "http://127.0.0.1:${port}/hook?x=1"`);
    await send(`[[alert]]\nto = "http://127.0.0.1:${port}/hook?x=1"`, { ...message, id: 'test-2' });
    const [first, again, other] = got;
    expect(first).toMatchObject({ method: 'POST', url: '/hook?x=1' });
    expect(first?.headers['content-type']).toBe('application/json');
    expect(JSON.parse(first?.body ?? '')).toMatchObject({
      schema: 'peer.alert/1',
      box: 'alice',
      kind: 'test',
      alerts: [],
    });
    expect(again?.headers['idempotency-key']).toBe(first?.headers['idempotency-key']);
    expect(other?.headers['idempotency-key']).not.toBe(first?.headers['idempotency-key']);
  });

  it('that answers no is told of, with the start of what it says', async () => {
    answer = { status: 403, body: `not you\n${'x'.repeat(100_000)}` };
    await expect(send(`[[alert]]\nto = "http://127.0.0.1:${port}/"`)).rejects.toThrow(
      'the server answers 403 Forbidden: not you x',
    );
  });

  it('is not followed elsewhere', async () => {
    answer = { status: 307, body: '', headers: { location: `http://127.0.0.1:${port}/other` } };
    await expect(send(`[[alert]]\nto = "http://127.0.0.1:${port}/"`)).rejects.toThrow('307');
    expect(got).toHaveLength(1);
  });

  it('gets the token of the file, which is read each time, and which no error shows', async () => {
    writeFileSync(join(folder, 'token'), 'tk_one\n');
    await send(`[[alert]]\nto = "http://127.0.0.1:${port}/"\ntoken-file = "token"`);
    writeFileSync(join(folder, 'token'), 'tk_two\n');
    await send(`[[alert]]\nto = "http://127.0.0.1:${port}/"\ntoken-file = "token"`);
    expect(got.map(({ headers }) => headers.authorization)).toEqual(['Bearer tk_one', 'Bearer tk_two']);
    writeFileSync(join(folder, 'token'), 'tk secret\n');
    const error = await send(`[[alert]]\nto = "http://127.0.0.1:${port}/"\ntoken-file = "token"`).then(
      () => '',
      (why: Error) => why.message,
    );
    expect(error).toContain('holds no token');
    expect(error).not.toContain('secret');
  });

  it('that nobody answers at is told of in one line', async () => {
    await expect(send('[[alert]]\nto = "http://127.0.0.1:1/"')).rejects.toThrow(/ECONNREFUSED|bad port/);
  });
});

describe('ntfy and Matrix', () => {
  it('ntfy gets the text, with title and priority in headers', async () => {
    await send(`[[alert]]\nto = "ntfy://127.0.0.1:${port}/alice"`, {
      ...message,
      weight: 'danger',
      kind: 'alert',
      title: 'alice: bøb is down',
    });
    expect(got[0]).toMatchObject({ method: 'POST', url: '/alice', body: message.text });
    expect(got[0]?.headers).toMatchObject({ priority: 'high', tags: 'warning' });
    expect(got[0]?.headers.title).toBe(`=?UTF-8?B?${Buffer.from('alice: bøb is down').toString('base64')}?=`);
  });

  it('Matrix gets a text message with a transaction id that is the same for the same content', async () => {
    writeFileSync(join(folder, 'token'), 'syt_token');
    const table = `[[alert]]\nto = "matrix://127.0.0.1:${port}/!abc:matrix.example"\ntoken-file = "token"`;
    await send(table);
    await send(table);
    expect(got[0]?.method).toBe('PUT');
    expect(got[0]?.url).toMatch(
      /^\/_matrix\/client\/v3\/rooms\/!abc%3Amatrix\.example\/send\/m\.room\.message\/[0-9a-f]{32}$/,
    );
    expect(got[1]?.url).toBe(got[0]?.url);
    expect(got[0]?.headers.authorization).toBe('Bearer syt_token');
    expect(JSON.parse(got[0]?.body ?? '')).toMatchObject({
      msgtype: 'm.text',
      body: expect.stringContaining('a test'),
    });
  });
});

describe('a program', () => {
  it('gets the document on stdin', async () => {
    const out = join(folder, 'program.out');
    const path = join(folder, 'tell');
    writeFileSync(path, `#!/bin/sh\n{ cat; echo "$COPAIN_ALERT_KIND $COPAIN_ALERT_LEVEL"; } > ${out}\n`);
    chmodSync(path, 0o700);
    await send(`[[alert]]\nto = "exec:${path}"`);
    const [json = '', kind] = readFileSync(out, 'utf8').split('\n');
    expect(JSON.parse(json)).toMatchObject({ schema: 'peer.alert/1', kind: 'test' });
    expect(kind).toBe('test attention');
  });
});

describe('mail', () => {
  it('goes through the mail server that is named, as one that no machine should answer', async () => {
    using mta = await mailServer();
    await send(`[[alert]]\nto = "mailto:alice@elsewhere.example"\nvia = "${mta.at}"`, {
      ...message,
      title: `alice: bøb is down ${'x'.repeat(120)}`,
      text: '.\nbøb is down.\n',
    });
    expect(mta.told.slice(0, 3)).toEqual([
      'EHLO mx.alice.example',
      'MAIL FROM:<copain@mx.alice.example>',
      'RCPT TO:<alice@elsewhere.example>',
    ]);
    const [head = '', body = ''] = mta.data().split('\r\n\r\n');
    expect(head).toContain('Date: Sun, 22 Nov 2026 22:30:00 +0000');
    expect(head).toContain('Auto-Submitted: auto-generated');
    expect(head).toMatch(/\r\nMessage-ID: <copain-alert-[0-9a-f]{32}@mx\.alice\.example>/);
    for (const line of head.split('\r\n')) expect(line.length).toBeLessThanOrEqual(78);
    const subject = /Subject: ((?:.|\r\n )*)/.exec(head)?.[1] ?? '';
    const words = [...subject.matchAll(/=\?utf-8\?B\?([^?]+)\?=/g)].map(([, word = '']) =>
      Buffer.from(word, 'base64').toString(),
    );
    expect(words.join('')).toBe(`alice: bøb is down ${'x'.repeat(120)}`);
    expect(Buffer.from(body, 'base64').toString()).toBe('.\nbøb is down.\n');
  });

  it('goes to the mail server of the first domain of one’s own where none is named', async () => {
    using mta = await mailServer();
    await send(
      `[[mail]]\ndomain = "alice.example"\ndeliver = "${mta.at}"\nclient = "proxy-v1"\n[[alert]]\nto = "mailto:alice@elsewhere.example"`,
    );
    expect(mta.told[0]).toMatch(/^PROXY TCP4 127\.0\.0\.1 /);
    expect(mta.told).toContain('MAIL FROM:<postmaster@alice.example>');
  });

  it('that the server refuses is told of with what it says', async () => {
    using mta = await mailServer('550 5.7.1 no relaying here');
    await expect(send(`[[alert]]\nto = "mailto:alice@elsewhere.example"\nvia = "${mta.at}"`)).rejects.toThrow(
      /550 5\.7\.1 no relaying here/,
    );
    expect(mta.data()).toBe('');
  });

  it('has no header that somebody else wrote a line of', () => {
    expect(headerText('plain')).toBe('plain');
    expect(headerText('a\r\nBcc: b')).not.toMatch(/\r\n[^ ]/);
  });
});
