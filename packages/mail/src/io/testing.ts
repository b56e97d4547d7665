/**
 * What the tests of this room share: a scripted MTA, a client that speaks line by line, and a pair of boxes, alice (the
 * owner) and bob (her friend), joined by streams in memory. Real sockets on 127.0.0.1.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, FrameStream, HostPort, Random, Segments, Table } from '@copain/core';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import type { MailDomain } from '../mail-domain.ts';
import type { ClaimView } from '../raw-plan.ts';
import type { MailEvents } from './events.ts';
import { framePair } from './frame-pair.ts';
import { type Mail, startMail } from './mail.ts';

/** One message as the MTA got it. */
interface Delivered {
  proxy: string | undefined;
  helo: string;
  from: string;
  recipients: string[];
  /** Dots unstuffed, one character per byte. */
  data: string;
}

/**
 * What the MTA says to a command line, or to `.` at the end of DATA: a reply, 'drop' to close the connection, 'silence' to
 * say nothing, 'late' for the usual after a while, undefined for the usual.
 */
export type Script = (line: string) => string | undefined;

export interface FakeMta extends AsyncDisposable {
  readonly address: HostPort;
  readonly messages: Delivered[];
  /** Every connection that ended inside DATA without a dot. */
  readonly broken: string[];
  script: Script;
  /** Resolves when there are at least this many messages. */
  received(count: number): Promise<Delivered[]>;
}

/** A mail server that keeps what it gets. Port 0 for any. */
export async function startFakeMta({
  port = 0,
  script = () => undefined,
}: {
  port?: number;
  script?: Script;
} = {}): Promise<FakeMta> {
  const sockets = new Set<Socket>();
  const watchers = new Set<() => void>();
  const state = { script, messages: [] as Delivered[], broken: [] as string[] };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    serve(socket, state, () => {
      for (const watcher of watchers) watcher();
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    get messages() {
      return state.messages;
    },
    get broken() {
      return state.broken;
    },
    get script() {
      return state.script;
    },
    set script(next: Script) {
      state.script = next;
    },
    received: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (state.messages.length < count) return;
          watchers.delete(look);
          resolve(state.messages);
        };
        watchers.add(look);
        look();
      }),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function serve(
  socket: Socket,
  state: { script: Script; messages: Delivered[]; broken: string[] },
  changed: () => void,
): void {
  let pending = '';
  let data: string | undefined;
  let current: Delivered = { proxy: undefined, helo: '', from: '', recipients: [], data: '' };
  const say = (line: string, usual: string): string => {
    const answer = state.script(line) ?? usual;
    if (answer === 'drop') socket.destroy();
    else if (answer === 'late') setTimeout(() => socket.write(`${usual}\r\n`), 300);
    else if (answer !== 'silence') socket.write(`${answer}\r\n`);
    return answer;
  };
  const command = (line: string): void => {
    const word = (line.split(/[ :]/)[0] ?? '').toUpperCase();
    const address = /<(.*?)>/.exec(line)?.[1] ?? '';
    if (word === 'PROXY') current.proxy = line;
    else if (word === 'EHLO') {
      current.helo = line.slice(5);
      say(
        line,
        '250-mta\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 XCLIENT NAME ADDR PORT PROTO HELO',
      );
    } else if (word === 'MAIL') {
      current = { ...current, from: address, recipients: [], data: '' };
      say(line, '250 2.1.0 Ok');
    } else if (word === 'RCPT') {
      if (say(line, '250 2.1.5 Ok').startsWith('2')) current.recipients.push(address);
    } else if (word === 'DATA') {
      if (say(line, '354 go on').startsWith('354')) data = '';
    } else if (word === 'QUIT') socket.end('221 2.0.0 Bye\r\n');
    else say(line, word === 'XCLIENT' ? '220 mta again' : '250 2.0.0 Ok');
  };
  socket.setEncoding('latin1');
  say('connect', '220 mta ESMTP');
  socket.on('data', (text: string) => {
    pending += text;
    for (;;) {
      const end = data === undefined ? pending.indexOf('\r\n') : pending.indexOf('\r\n.\r\n');
      const empty = data !== undefined && pending.startsWith('.\r\n');
      if (end < 0 && !empty) return;
      if (data === undefined) {
        const line = pending.slice(0, end);
        pending = pending.slice(end + 2);
        command(line);
      } else {
        current.data = empty ? '' : pending.slice(0, end + 2).replaceAll(/(^|\r\n)\.\./g, '$1.');
        pending = pending.slice(empty ? 3 : end + 5);
        data = undefined;
        if (/^(?:250|late)/.test(say('.', '250 2.0.0 Ok: queued as FAKE'))) {
          state.messages.push(current);
          changed();
        }
      }
    }
  });
  socket.on('close', () => {
    if (data !== undefined) state.broken.push(pending);
  });
}

/** A client that says one thing at a time. */
export interface Talk extends AsyncDisposable {
  readonly socket: Socket;
  /** Sends a line and returns the whole reply, lines joined with `\n`; without a line, waits for the next reply. */
  say(line?: string): Promise<string>;
  /** Sends bytes and waits for nothing. */
  send(bytes: string): void;
  /** Resolves when the other side has closed. */
  closed(): Promise<void>;
}

export async function talkTo(address: HostPort): Promise<Talk> {
  const socket = connect({ ...address });
  socket.setEncoding('latin1');
  const replies: string[] = [];
  let pending = '';
  let lines: string[] = [];
  let wake = (): void => {};
  let ended = false;
  socket.on('data', (text: string) => {
    pending += text;
    for (let end = pending.indexOf('\r\n'); end >= 0; end = pending.indexOf('\r\n')) {
      const line = pending.slice(0, end);
      pending = pending.slice(end + 2);
      lines.push(line);
      if (line[3] === '-') continue;
      replies.push(lines.join('\n'));
      lines = [];
    }
    wake();
  });
  socket.on('close', () => {
    ended = true;
    wake();
  });
  socket.on('error', () => {});
  const next = async (): Promise<string> => {
    while (replies.length === 0 && !ended)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return replies.shift() ?? 'closed';
  };
  const talk: Talk = {
    socket,
    say: async (line) => {
      if (line !== undefined) socket.write(`${line}\r\n`, 'latin1');
      return await next();
    },
    send: (bytes) => {
      socket.write(bytes, 'latin1');
    },
    closed: async () => {
      while (!ended)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    },
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
      if (!socket.closed) await once(socket, 'close');
    },
  };
  await talk.say();
  await talk.say('EHLO client.test');
  return talk;
}

/** MAIL, RCPTs, DATA; the final reply. `data` goes out as it is, the dot is added. */
export async function submit(
  talk: Talk,
  {
    from = 'sender@out.test',
    to = ['a@alice.test'],
    data = message('hello'),
  }: { from?: string; to?: string[]; data?: string } = {},
): Promise<string> {
  await talk.say(`MAIL FROM:<${from}>`);
  for (const recipient of to) {
    const answer = await talk.say(`RCPT TO:<${recipient}>`);
    if (!answer.startsWith('250')) return answer;
  }
  await talk.say('DATA');
  talk.send(data);
  return await talk.say('.');
}

export function message(text: string): string {
  return `From: sender@out.test\r\nTo: a@alice.test\r\nSubject: ${text}\r\n\r\n${text}\r\n`;
}

/** Everything after our one header. */
export function withoutTrace(data: string): string {
  return data.replace(/^Received: from [^\r\n]+\r\n(?:\t[^\r\n]+\r\n)+/, '');
}

/** Resolves when the condition holds; looks at every turn of the event loop, so it is as quick as what it waits for. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition()))
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
}

/** An event as it was told. */
export type Told = { kind: keyof MailEvents } & Record<string, unknown>;

export function recordEvents(): {
  events: MailEvents;
  told: Told[];
  until: (kind: keyof MailEvents) => Promise<Told>;
} {
  const told: Told[] = [];
  const watchers = new Set<() => void>();
  const names = [
    'passed',
    'held',
    'refused',
    'handedOver',
    'queued',
    'delivered',
    'deferred',
    'quarantined',
    'rawEnded',
    'rawDeclined',
    'trouble',
    'changed',
  ] as const;
  const tell =
    (kind: keyof MailEvents) =>
    (fact?: object): void => {
      told.push({ ...fact, kind });
      for (const watcher of watchers) watcher();
    };
  const events = Object.fromEntries(names.map((kind) => [kind, tell(kind)])) as unknown as MailEvents;
  const until = (kind: keyof MailEvents): Promise<Told> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = told.find((one) => one.kind === kind);
        if (!found) return;
        watchers.delete(look);
        resolve(found);
      };
      watchers.add(look);
      look();
    });
  return { events, told, until };
}

export const systemClock: Clock = { nowMs: () => Date.now() };
const noRandom: Random = { bytes: (length) => new Uint8Array(length), fraction: () => 0 };

export const aliceId: string = 'a1'.repeat(32);
const carolId: string = 'c3'.repeat(32);

/** A key pair of an owner. */
export async function ageKey(): Promise<{ identity: string; recipient: string }> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** A folder that is removed at the end. */
export async function temporaryFolder(): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'copain-mail-'));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

/** The stores of one box; they outlive its Mail, as a disk outlives a process. */
export interface Stores {
  segments: Segments;
  inbox: Segments;
  table: Table;
}

/** Alice's box in a test. */
export interface OwnerBox extends AsyncDisposable {
  mail: Mail;
  told: Told[];
  until: (kind: keyof MailEvents) => Promise<Told>;
  domains: MailDomain[];
}

/** Starts alice's box: no listener unless asked, her MTA where `mta` says. */
export async function startOwner({
  stores,
  identity,
  recipient,
  mta,
  client = 'none',
  listen = [],
  wish,
  backups = () => [],
  openPolicy = async () => {
    throw new Error('nobody');
  },
  claims = () => ({ allowPrivate: true, own: [] }),
}: {
  stores: Stores;
  identity: string;
  recipient: string;
  mta: HostPort;
  client?: MailDomain['client'];
  listen?: HostPort[];
  wish?: NonNullable<MailDomain['wish']>;
  backups?: Parameters<typeof startMail>[0]['backups'];
  openPolicy?: (peer: string) => Promise<FrameStream>;
  claims?: () => ClaimView;
}): Promise<OwnerBox> {
  const { events, told, until } = recordEvents();
  const domains: MailDomain[] = [
    {
      domain: 'alice.test',
      ownerId: aliceId,
      ownerName: 'alice',
      role: 'own',
      sealTo: [recipient],
      maxBytes: 1e9,
      deliver: mta,
      ...(client === undefined ? {} : { client }),
      ...(wish === undefined ? {} : { wish }),
    },
  ];
  const unreachable = async (): Promise<FrameStream> => {
    throw new Error('nobody');
  };
  const mail = await startMail({
    listen,
    hostname: 'mx.alice.test',
    domains: () => domains,
    openLive: unreachable,
    openDrain: unreachable,
    openPolicy: (peer) => openPolicy(peer),
    backups,
    raw: { doors: [], open: unreachable, claims },
    ...stores,
    arrivingDir: tmpdir(),
    identities: () => [identity],
    clock: systemClock,
    random: noRandom,
    events,
  });
  return { mail, told, until, domains, [Symbol.asyncDispose]: () => mail[Symbol.asyncDispose]() };
}

/** Bob's box in a test, with the wire to alice in the test's hands. */
export interface FriendBox extends OwnerBox {
  address: HostPort;
  /** Alice's box, or undefined while she is away. */
  owner: Mail | undefined;
  /** The live streams that were opened, bob's ends. */
  liveStreams: FrameStream[];
  /** An address that is alice's alone. */
  rawAddress: HostPort;
  /** The raw streams that were opened, bob's ends. */
  rawStreams: FrameStream[];
}

export async function startFriend({
  stores,
  recipient,
  hostname = 'mx.bob.test',
  peer = 'bob-peer',
  maxBytes = 1e9,
  tls,
  rawHost = '127.0.0.1',
  freeBytes = async () => 1e12,
  arrivingDir = tmpdir(),
}: {
  stores: Stores;
  recipient: string;
  hostname?: string;
  peer?: string;
  maxBytes?: number;
  tls?: { certFile: string; keyFile: string };
  rawHost?: string;
  freeBytes?: () => Promise<number>;
  arrivingDir?: string;
}): Promise<FriendBox> {
  const { events, told, until } = recordEvents();
  const domains: MailDomain[] = [
    {
      domain: 'alice.test',
      ownerId: aliceId,
      ownerName: 'alice',
      role: 'backup',
      sealTo: [recipient],
      maxBytes,
    },
    {
      domain: 'carol.test',
      ownerId: carolId,
      ownerName: 'carol',
      role: 'backup',
      sealTo: [recipient],
      maxBytes,
    },
  ];
  const liveStreams: FrameStream[] = [];
  const rawStreams: FrameStream[] = [];
  const box: { owner: Mail | undefined } = { owner: undefined };
  const open = async (how: 'handleLive' | 'handleDrain', ownerId: string): Promise<FrameStream> => {
    if (!box.owner || ownerId !== aliceId) throw new Error('not reachable');
    const [here, there] = framePair();
    if (how === 'handleLive') liveStreams.push(here);
    void box.owner[how](there, peer, 'bob');
    return here;
  };
  const openRaw = async (): Promise<FrameStream> => {
    if (!box.owner) throw new Error('not reachable');
    const [here, there] = framePair();
    rawStreams.push(here);
    void box.owner.handleRaw(there, 'bob', ['alice.test']);
    return here;
  };
  const mail = await startMail({
    listen: [{ host: '127.0.0.1', port: 0 }],
    hostname,
    tls,
    domains: () => domains,
    openLive: (ownerId) => open('handleLive', ownerId),
    openDrain: (ownerId) => open('handleDrain', ownerId),
    openPolicy: async () => {
      throw new Error('bob owns no mail');
    },
    backups: () => [],
    raw: {
      doors: [{ listen: { host: rawHost, port: 0 }, owner: () => ({ ownerId: aliceId, name: 'alice' }) }],
      open: openRaw,
      claims: () => ({ allowPrivate: true, own: [] }),
    },
    ...stores,
    arrivingDir,
    freeBytes,
    identities: () => [],
    clock: systemClock,
    random: noRandom,
    events,
  });
  const [address] = mail.addresses;
  const [rawAddress] = mail.rawAddresses;
  if (!address || !rawAddress) throw new Error('bob does not listen');
  return {
    mail,
    told,
    until,
    domains,
    address,
    liveStreams,
    rawAddress,
    rawStreams,
    get owner() {
      return box.owner;
    },
    set owner(next) {
      box.owner = next;
    },
    [Symbol.asyncDispose]: () => mail[Symbol.asyncDispose](),
  };
}
