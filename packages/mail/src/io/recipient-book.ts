import { readFile, stat } from 'node:fs/promises';
import { type Clock, type Table, type TableChange, toHex, toUtf8 } from '@copain/core';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { recipientFileMaxBytes, recipientsKnownMax, recipientsRefusedMax, refusedForMs } from '../limits.ts';
import type { MailDomain } from '../mail-domain.ts';
import { type RecipientFile, readRecipientFile, recipientForm } from '../recipient-form.ts';
import type { RecipientView } from '../recipient-policy.ts';
import { asError } from './deadline.ts';
import type { MailEvents } from './events.ts';
import { sha256 } from './seal.ts';

const knownPrefix = 'mail/known/';
const filePrefix = 'mail/recipient-file/';
/** How often files are looked at and what was learnt is written. */
const lookEveryMs = 1000;

/** How an address came to be known. */
export type RecipientSource = 'file' | 'learned' | 'added';

interface DomainBook {
  known: Map<string, { source: 'learned' | 'added'; atMs: number }>;
  refused: Map<string, number>;
  file: RecipientFile | undefined;
  fileVersion: string;
  /** The version of the file of which it was told that it could not be taken over. */
  fileTrouble: string;
  /** Goes up with every change. */
  revision: number;
}

export interface RecipientBookOptions {
  table: Table;
  domains: () => readonly MailDomain[];
  clock: Clock;
  events: MailEvents;
}

/** What an owner knows of the recipients of his domains: from his file, from his server's answers, from himself. */
export class RecipientBook implements AsyncDisposable {
  readonly #options: RecipientBookOptions;
  readonly #domains = new Map<string, DomainBook>();
  readonly #unsaved = new Map<string, TableChange>();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  private constructor(options: RecipientBookOptions) {
    this.#options = options;
  }

  /** Reads what was known; a row that cannot be read is left out, since it is learnt again. */
  static async open(options: RecipientBookOptions): Promise<RecipientBook> {
    const book = new RecipientBook(options);
    for await (const [key, value] of options.table.entries(knownPrefix)) {
      const [domain = ''] = key.slice(knownPrefix.length).split('/');
      const fields = readFields(decodeCanonical(value, 1024));
      const form = fields.text('a', 254);
      const source = fields.text('s', 8) === 'added' ? 'added' : 'learned';
      const atMs = fields.integer('at', 0, Number.MAX_SAFE_INTEGER);
      if (fields.ok) book.#domain(domain).known.set(form, { source, atMs });
    }
    for await (const [key, value] of options.table.entries(filePrefix)) {
      const domain = key.slice(filePrefix.length);
      const text = Buffer.from(value).toString('utf8');
      book.#domain(domain).file = readRecipientFile(text, domain, recipientsKnownMax);
    }
    await book.look();
    book.#timer = setInterval(() => void book.look(), lookEveryMs).unref();
    return book;
  }

  /** Reads files that changed, writes what was learnt, forgets domains that are ours no more. Never rejects. */
  look(): Promise<void> {
    this.#working = this.#working.then(() => this.#look()).catch((error: unknown) => this.#trouble(error));
    return this.#working;
  }

  /** What the MTA's answer to RCPT taught; `address` is one of a domain of ours. */
  learn(address: string, what: 'known' | 'refused'): void {
    const at = address.lastIndexOf('@');
    const [domain, form] = [address.slice(at + 1), recipientForm(address.slice(0, at))];
    const book = this.#domain(domain);
    const nowMs = this.#options.clock.nowMs();
    const known = book.known.get(form);
    if (what === 'refused') {
      const isNews = !book.refused.has(form);
      book.refused.delete(form);
      book.refused.set(form, nowMs);
      for (const oldest of book.refused.keys())
        if (book.refused.size > recipientsRefusedMax) book.refused.delete(oldest);
      if (known?.source === 'learned') this.#forget(domain, form);
      if (isNews) book.revision += 1;
      return;
    }
    if (book.refused.delete(form)) book.revision += 1;
    if (known === undefined) this.#keep(domain, form, 'learned');
  }

  /** Adds an address by hand. False where there is no room. */
  async add(domain: string, local: string): Promise<boolean> {
    const form = recipientForm(local);
    if (!this.#keep(domain, form, 'added')) return false;
    this.#domain(domain).refused.delete(form);
    await this.#save();
    return true;
  }

  /** Forgets an address that was learnt or added; it may be learnt again. */
  async remove(domain: string, local: string): Promise<boolean> {
    const form = recipientForm(local);
    const was = this.#domain(domain).known.has(form);
    this.#forget(domain, form);
    await this.#save();
    return was;
  }

  /** When our own server refused this address last; undefined where it did not. */
  refusedAtMs(address: string): number | undefined {
    const at = address.lastIndexOf('@');
    return this.#domains.get(address.slice(at + 1))?.refused.get(recipientForm(address.slice(0, at)));
  }

  revision(domain: string): number {
    return this.#domain(domain).revision;
  }

  /** Everything that counts for this domain now, by its `recipients`. */
  list(target: MailDomain): { form: string; source: RecipientSource }[] {
    const book = this.#domain(target.domain);
    const kind = target.wish?.recipients.kind ?? 'any';
    if (kind === 'file') return [...(book.file?.known ?? [])].map((form) => ({ form, source: 'file' }));
    return [...book.known].map(([form, { source }]) => ({ form, source }));
  }

  /** Recipients that the MTA refused lately, with when. */
  refused(target: MailDomain): ReadonlyMap<string, number> {
    if (target.wish?.recipients.kind === 'file') return new Map();
    const nowMs = this.#options.clock.nowMs();
    return new Map(
      [...this.#domain(target.domain).refused].filter(([, atMs]) => nowMs - atMs < refusedForMs),
    );
  }

  isAny(target: MailDomain): boolean {
    const recipients = target.wish?.recipients ?? { kind: 'any' };
    // While the file was never read nobody can say who is unknown.
    if (recipients.kind === 'file') return this.#domain(target.domain).file?.any ?? true;
    return recipients.kind === 'any';
  }

  view(target: MailDomain): RecipientView {
    const book = this.#domain(target.domain);
    const isFile = target.wish?.recipients.kind === 'file';
    return {
      any: this.isAny(target),
      unknown: target.wish?.unknown ?? 'accept',
      isKnown: (form) => (isFile ? book.file?.known.has(form) === true : book.known.has(form)),
      refusedAtMs: (form) => (isFile ? undefined : book.refused.get(form)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#working;
    await this.#save().catch((error: unknown) => this.#trouble(error));
  }

  #domain(domain: string): DomainBook {
    const found = this.#domains.get(domain);
    if (found) return found;
    const fresh: DomainBook = {
      known: new Map(),
      refused: new Map(),
      file: undefined,
      fileVersion: '',
      fileTrouble: '',
      revision: 0,
    };
    this.#domains.set(domain, fresh);
    return fresh;
  }

  #keep(domain: string, form: string, source: 'learned' | 'added'): boolean {
    const book = this.#domain(domain);
    if (!book.known.has(form) && book.known.size >= recipientsKnownMax) {
      const oldest = oldestLearned(book);
      if (oldest === undefined) return false;
      this.#forget(domain, oldest);
    }
    const atMs = this.#options.clock.nowMs();
    book.known.set(form, { source, atMs });
    book.revision += 1;
    this.#change(domain, form, encodeCanonical({ a: form, s: source, at: atMs }));
    return true;
  }

  #forget(domain: string, form: string): void {
    const book = this.#domain(domain);
    if (!book.known.delete(form)) return;
    book.revision += 1;
    this.#change(domain, form, undefined);
  }

  #change(domain: string, form: string, value: Uint8Array | undefined): void {
    const key = `${knownPrefix}${domain}/${toHex(sha256(toUtf8(form))).slice(0, 32)}`;
    this.#unsaved.set(key, { key, value });
  }

  async #save(): Promise<void> {
    const changes = [...this.#unsaved.values()];
    if (changes.length === 0) return;
    await this.#options.table.write(changes);
    for (const change of changes)
      if (this.#unsaved.get(change.key) === change) this.#unsaved.delete(change.key);
  }

  async #look(): Promise<void> {
    const { domains, table } = this.#options;
    const own = domains().filter(({ role }) => role === 'own');
    for (const target of own) await this.#readFile(target);
    for (const [domain, book] of this.#domains) {
      if (own.some((one) => one.domain === domain)) continue;
      for (const form of book.known.keys()) this.#forget(domain, form);
      this.#domains.delete(domain);
      await table.write([{ key: filePrefix + domain, value: undefined }]);
    }
    await this.#save();
  }

  /** A file that cannot be read, or not be kept, leaves what it said before in force; it is tried again at the next look. */
  async #readFile({ domain, wish }: MailDomain): Promise<void> {
    if (wish?.recipients.kind !== 'file') return;
    const { path } = wish.recipients;
    const book = this.#domain(domain);
    const where = `recipients of ${domain}`;
    let version = 'missing';
    try {
      const { mtimeMs, size, ino } = await stat(path);
      version = `${path} ${mtimeMs} ${size} ${ino}`;
      if (version === book.fileVersion) {
        book.fileTrouble = '';
        return;
      }
      if (size > recipientFileMaxBytes)
        throw new Error(`${path} is longer than ${recipientFileMaxBytes} bytes`);
      const bytes = await readFile(path);
      const file = readRecipientFile(bytes.toString('utf8'), domain, recipientsKnownMax);
      await this.#options.table.write([{ key: filePrefix + domain, value: new Uint8Array(bytes) }]);
      book.file = file;
      book.fileVersion = version;
      book.fileTrouble = '';
      book.revision += 1;
      const bad = file.badLines.slice(0, 5).join(', ');
      if (bad !== '') this.#trouble(new Error(`${path}: no address in line ${bad}`), where);
      if (file.tooMany)
        this.#trouble(new Error(`${path}: only the first ${recipientsKnownMax} count`), where);
    } catch (error) {
      if (book.fileTrouble !== version) this.#trouble(error, where);
      book.fileTrouble = version;
    }
  }

  #trouble(error: unknown, where = 'recipients'): void {
    this.#options.events.trouble({ where, error: asError(error) });
  }
}

/** What was learnt first: the order in which rows are read at a start says nothing about that. */
function oldestLearned({ known }: DomainBook): string | undefined {
  let oldest: { form: string; atMs: number } | undefined;
  for (const [form, { source, atMs }] of known)
    if (source === 'learned' && (oldest === undefined || atMs < oldest.atMs)) oldest = { form, atMs };
  return oldest?.form;
}
