import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { isoTime } from '@copain/core';
import { sweepEveryMs } from '../limits.ts';
import { asError } from './deadline.ts';
import type { MailEvents } from './events.ts';

export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

/** The files as the configuration names them now: one pair for whoever asks for no name, or another one, and one for each name. */
export interface TlsFiles {
  main: CertificateFiles | undefined;
  names: readonly (CertificateFiles & { name: string })[];
}

/** What the parser of the conversation takes. */
export interface Pems {
  key: Buffer;
  cert: Buffer;
}

interface Loaded {
  version: string;
  pems: Pems;
  context: SecureContext;
}

const minVersion = 'TLSv1.2';

/**
 * The certificates of all listeners, read again when a file changes or the configuration names another one. The one
 * without a name must be there at the start, since it is the operator's own. Those of names come from their owners: one
 * that is missing, half written or does not fit its key is told once, and taken as soon as it does.
 */
export class Certificates implements Disposable {
  readonly #files: () => TlsFiles;
  readonly #events: Pick<MailEvents, 'trouble'>;
  readonly #nowMs: () => number;
  readonly #loaded = new Map<string, Loaded>();
  readonly #told = new Map<string, string>();
  readonly #watchers = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  /** Reads them all, and looks at them again every `everyMs`. Rejects where the one without a name cannot be used. */
  static async open(
    files: () => TlsFiles,
    {
      events,
      nowMs,
      everyMs = sweepEveryMs,
    }: { events: Pick<MailEvents, 'trouble'>; nowMs: () => number; everyMs?: number },
  ): Promise<Certificates> {
    const certificates = new Certificates(files, events, nowMs);
    const { main } = files();
    if (main) await certificates.#load('', main);
    await certificates.#look();
    certificates.#timer = setInterval(() => void certificates.#look(), everyMs).unref();
    return certificates;
  }

  private constructor(files: () => TlsFiles, events: Pick<MailEvents, 'trouble'>, nowMs: () => number) {
    this.#files = files;
    this.#events = events;
    this.#nowMs = nowMs;
  }

  /** What is shown to whoever asks for no name that we have: the operator's own, else the first of a name; undefined: no TLS. */
  get main(): Pems | undefined {
    const { names } = this.#files();
    return ['', ...names.map(({ name }) => name)].flatMap((name) => this.#loaded.get(name)?.pems ?? [])[0];
  }

  /** The certificate of a name that a client asks for (RFC 6066 §3), without regard to case; undefined: the main one. */
  context(servername: string): SecureContext | undefined {
    const name = servername.toLowerCase().replace(/\.$/, '');
    return name === '' ? undefined : this.#loaded.get(name)?.context;
  }

  /** `changed` is called after each change, until what is returned is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#watchers.clear();
  }

  async #look(): Promise<void> {
    const { main, names } = this.#files();
    const wanted = [...(main ? [{ ...main, name: '' }] : []), ...names];
    let changed = false;
    for (const { name, ...files } of wanted) {
      try {
        changed = (await this.#load(name, files)) || changed;
      } catch (error) {
        // What was read before goes on being used; a half written pair is read again at the next look.
        const what = name === '' ? 'SMTP certificate' : `SMTP certificate for ${name}`;
        this.#tell(name, what, asError(error));
      }
    }
    for (const name of this.#loaded.keys())
      if (!wanted.some((one) => one.name === name)) changed = this.#loaded.delete(name) || changed;
    if (changed) for (const watcher of this.#watchers) watcher();
  }

  /** True where the files are others than before. Rejects where they cannot be used. */
  async #load(name: string, files: CertificateFiles): Promise<boolean> {
    const version = await versionOf(files);
    if (this.#loaded.get(name)?.version === version) return false;
    const [cert, key] = [await readFile(files.certFile), await readFile(files.keyFile)];
    const context = createSecureContext({ cert, key, minVersion });
    this.#loaded.set(name, { version, pems: { cert, key }, context });
    const flaw = flawOf(new X509Certificate(cert), name, this.#nowMs());
    if (flaw === undefined) this.#told.delete(name);
    else this.#tell(name, `SMTP certificate ${files.certFile}`, new Error(flaw));
    return true;
  }

  #tell(name: string, where: string, error: Error): void {
    if (this.#told.get(name) === error.message) return;
    this.#told.set(name, error.message);
    this.#events.trouble({ where, error });
  }
}

/** Why senders who look at it closely (RFC 8461 §4.1) would not take this certificate; it is shown to the others. */
function flawOf(certificate: X509Certificate, name: string, nowMs: number): string | undefined {
  const untilMs = Date.parse(certificate.validTo);
  if (untilMs < nowMs) return `it expired on ${isoTime(untilMs).slice(0, 10)}: put a new one in its place`;
  if (name !== '' && certificate.checkHost(name) === undefined)
    return `it is not for ${name}, but for ${certificate.subjectAltName ?? certificate.subject}`;
  return undefined;
}

/** One after the other, so that of two missing files the same one is told every time. */
async function versionOf({ certFile, keyFile }: CertificateFiles): Promise<string> {
  const stats = [await stat(certFile), await stat(keyFile)];
  return [certFile, keyFile, ...stats.map(({ mtimeMs, size, ino }) => `${mtimeMs}-${size}-${ino}`)].join(' ');
}
