import { setTimeout as after } from 'node:timers/promises';
import { CommandError, ExitCode, type FrameStream, toHex } from '@copain/core';
import {
  decodeSpoolRecord,
  type HeldEntry,
  listMax,
  matchesId,
  messageId,
  recordMaxBytes,
} from '@copain/mail';
import { askFlush, askList, askRecord, type Mail, openRecordHead, openSpoolRecord } from '@copain/mail/io';
import type { MessageInfo } from '@copain/status';
import { type MailCopy, mergeCopies } from '../listed-mail.ts';
import { type OpenedMessages, openedMessages } from './opened-messages.ts';
import { type UploadedBytes, uploadedBytes } from './uploaded-bytes.ts';

/** Mail of this box's owner, wherever it lies; for whoever sits at this box. */
export interface MailDesk {
  /**
   * What waits here, and (unless `here`) what friends hold for this owner, read with the keys of this box. `silent`: names
   * of those who may hold more and could not be asked. `left`: messages that friends hold beyond what was listed;
   * `leftHere`: that this box holds for friends beyond it.
   */
  list(here: boolean): Promise<{ messages: MessageInfo[]; silent: string[]; left: number; leftHere: number }>;
  /** The message of which the person typed the id or its beginning. Throws CommandError (65, 69). */
  find(typed: string): Promise<MessageInfo>;
  /**
   * Fetches the message: its bytes as they were received, or with `sealed` the record; from the first holder whose copy is
   * good. Throws CommandError: 65 where there is none or no key of this box opens it, 69 where nobody who may have it can
   * be asked.
   */
  fetch(typed: string, sealed: boolean): Promise<{ message: MessageInfo; bytes: Uint8Array }>;
  /** What was fetched and is being read in parts. */
  opened: OpenedMessages;
  /** Sealed messages that are given to it in parts. */
  uploads: UploadedBytes;
  /** Has friends hand over at once what they hold for this owner; how many messages that is. */
  flushFriends(): Promise<number>;
}

/** How long friends may take to list what they hold, and to take a flush; a person waits for it. */
const listWithinMs = 10_000;

/** A whole message may take this long, over a friend's uplink. */
const fetchWithinMs = 1_800_000;

/** A list is good for this long to fetch by; what has gone since then is looked for anew. */
const listedForMs = 600_000;

/** Who has a message, under which name of his own, and how long its record is there; by the message's id. */
type Places = Map<string, ({ peer: string } & Pick<HeldEntry, 'id' | 'sizeBytes'>)[]>;

export function startMailDesk(options: {
  mail: Mail;
  identities: () => readonly string[];
  ownName: () => string;
  nameOfOwner: (ownerId: string) => string;
  /** Boxes that may hold mail of this owner and are heard now. */
  holders: () => readonly string[];
  /** Names of those who may hold some and are not heard. */
  silent: () => readonly string[];
  nameOf: (peer: string) => string;
  open(peer: string, signal: AbortSignal): Promise<FrameStream>;
  failed(peer: string, error: unknown): void;
}): MailDesk {
  const { mail, identities, nameOf } = options;

  const asking = async <T>(
    peer: string,
    withinMs: number,
    ask: (stream: FrameStream) => Promise<T>,
  ): Promise<T> => {
    const signal = AbortSignal.timeout(withinMs);
    const stream = await options.open(peer, signal);
    const giveUp = (): void => stream.abort(new Error('took too long'));
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const answer = await ask(stream);
      await stream.end();
      return answer;
    } catch (error) {
      stream.abort(new Error('gave up'));
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  };

  /** What each holder says, and who did not. */
  const askAll = async <T>(
    withinMs: number,
    ask: (stream: FrameStream) => Promise<T>,
  ): Promise<{ said: { peer: string; answer: T }[]; silent: string[] }> => {
    const holders = options.holders();
    const answers = await Promise.allSettled(holders.map((peer) => asking(peer, withinMs, ask)));
    const said: { peer: string; answer: T }[] = [];
    const silent = [...options.silent()];
    answers.forEach((answer, i) => {
      const peer = holders[i] ?? '';
      if (answer.status === 'fulfilled') said.push({ peer, answer: answer.value });
      else {
        options.failed(peer, answer.reason);
        silent.push(nameOf(peer));
      }
    });
    return { said, silent: [...new Set(silent)].sort() };
  };

  const local = async (): Promise<MailCopy[]> =>
    (await mail.list(listMax)).map(({ copyAt, ...message }) => ({
      ...message,
      holder: options.ownName(),
      alsoAt: copyAt === undefined ? undefined : options.nameOfOwner(copyAt),
    }));

  const copyOf = async (peer: string, entry: HeldEntry): Promise<MailCopy> => {
    const opened = await openRecordHead(entry.head, entry.sizeBytes, identities());
    const isOpen = opened.kind === 'opened';
    return {
      id: messageId(entry.tags.map(toHex)),
      domain: opened.header?.domain ?? '',
      from: isOpen ? opened.envelope.from : undefined,
      recipients: isOpen ? opened.envelope.recipients : [],
      sizeBytes: opened.header?.messageBytes ?? entry.sizeBytes,
      receivedAtMs: isOpen ? opened.envelope.receivedAtMs : entry.receivedAtMs,
      state: entry.state,
      holder: nameOf(peer),
      reply: entry.reply === '' ? undefined : entry.reply,
      nextTryAtMs: entry.nextTryAtMs === 0 ? undefined : entry.nextTryAtMs,
    };
  };

  /** What the last look at friends found, so that they list their mail once for all that is then exported. */
  let listed: { messages: readonly MessageInfo[]; places: Places; atMs: number } | undefined;

  /** Everything that is known now: the lines, and where each message can be had. */
  const look = async (here: boolean) => {
    const copies = await local();
    const places: Places = new Map();
    let left = 0;
    const asked = here ? { said: [], silent: [] } : await askAll(listWithinMs, (stream) => askList(stream));
    for (const { peer, answer } of asked.said) {
      left += answer.count - answer.entries.length;
      for (const entry of answer.entries) {
        const copy = await copyOf(peer, entry);
        copies.push(copy);
        const { id, sizeBytes } = entry;
        places.set(copy.id, [...(places.get(copy.id) ?? []), { peer, id, sizeBytes }]);
        // Opening a seal keeps the processor busy; friends' DNS queries go between two of them.
        await after(0);
      }
    }
    const messages = mergeCopies(copies);
    if (!here) listed = { messages, places, atMs: performance.now() };
    return { messages, places, silent: asked.silent, left };
  };

  const chosen = (
    messages: readonly MessageInfo[],
    silent: readonly string[],
    typed: string,
  ): MessageInfo => {
    const found = messages.filter(({ id }) => matchesId(typed, id));
    const [message] = found;
    if (message !== undefined && found.length === 1) return message;
    if (found.length > 1)
      throw new CommandError(
        ExitCode.badInput,
        `${found.length} messages begin with ${typed}: type more of it`,
      );
    if (silent.length > 0)
      throw new CommandError(
        ExitCode.unreachable,
        `no message ${typed} is here, and ${silent.join(', ')} cannot be asked now`,
        { hint: 'peer mail list' },
      );
    throw new CommandError(ExitCode.badInput, `there is no message ${typed}, here or at a friend`, {
      hint: 'peer mail list',
    });
  };

  const open = async (record: Uint8Array, message: MessageInfo): Promise<Uint8Array> => {
    const opened = await openSpoolRecord(record, identities());
    if (opened.kind === 'opened') return opened.message;
    throw new CommandError(ExitCode.badInput, `${message.id} cannot be read here: ${opened.why}`, {
      hint: 'give the owner key or the paper key with --key-file FILE',
    });
  };

  /** From the first holder whose copy is good; undefined where none gives it. Throws where some do and none opens. */
  const fromFriends = async (message: MessageInfo, places: Places, sealed: boolean) => {
    let unreadable: CommandError | undefined;
    for (const { peer, ...entry } of places.get(message.id) ?? []) {
      try {
        const record = await asking(peer, fetchWithinMs, (stream) => askRecord(stream, entry));
        if (record === undefined) continue;
        if (idOf(record) !== message.id) throw new Error(`gave something else for ${message.id}`);
        return { message, bytes: sealed ? record : await open(record, message) };
      } catch (error) {
        options.failed(peer, error);
        if (error instanceof CommandError) unreadable ??= error;
      }
    }
    if (unreadable) throw unreadable;
    return undefined;
  };

  const notGiven = ({ id }: MessageInfo): CommandError =>
    new CommandError(ExitCode.unreachable, `nobody who held ${id} gave it`, { hint: 'peer mail list' });

  return {
    opened: openedMessages(),
    uploads: uploadedBytes(recordMaxBytes),
    list: async (here) => {
      const { messages, silent, left } = await look(here);
      return { messages, silent, left, leftHere: Math.max(0, mail.heldCount() - listMax) };
    },
    find: async (typed) => {
      const here = await look(true);
      if (here.messages.some(({ id }) => matchesId(typed, id))) return chosen(here.messages, [], typed);
      const { messages, silent } = await look(false);
      return chosen(messages, silent, typed);
    },
    fetch: async (typed, sealed) => {
      const here = await look(true);
      if (here.messages.some(({ id }) => matchesId(typed, id))) {
        const message = chosen(here.messages, [], typed);
        const record = await mail.record(message);
        if (record === undefined) throw notGiven(message);
        return { message, bytes: sealed ? record : await open(record, message) };
      }
      const isFresh = listed !== undefined && performance.now() - listed.atMs < listedForMs;
      const recent = isFresh ? listed : undefined;
      const known = recent?.messages.find(({ id }) => id === typed.toLowerCase());
      const sooner = recent && known && (await fromFriends(known, recent.places, sealed));
      if (sooner) return sooner;
      const { messages, silent, places } = await look(false);
      const message = chosen(messages, silent, typed);
      const given = await fromFriends(message, places, sealed);
      if (given === undefined) throw notGiven(message);
      return given;
    },
    flushFriends: async () => {
      const { said } = await askAll(listWithinMs, (stream) => askFlush(stream));
      return said.reduce((sum, { answer }) => sum + answer, 0);
    },
  };
}

/** The id of the message that a record says it is; opening the record checks that it says the truth. */
function idOf(record: Uint8Array): string | undefined {
  const tags = decodeSpoolRecord(record)?.header.tags;
  return tags && messageId(tags.map(toHex));
}
