import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';

export interface ZoneFileWatchOptions {
  path: string;
  /**
   * Called 50 ms after the last write to a file, 5 ms after one was renamed into its place, which makes it whole at once;
   * may be called where nothing changed in the end.
   */
  onChange: () => void;
  debounceMs?: number;
  /** How often the files are looked at even without a hint, for file systems that give none. */
  pollMs?: number;
}

export interface ZoneFileWatch extends AsyncDisposable {
  /** The files the zone consists of, as `readZoneFile` found them; included ones are then followed too. */
  follow(files: readonly string[]): void;
}

const debounceDefaultMs = 50;
/** A file that is created and then written is told apart from one that was renamed by the writes that follow. */
const renamedAfterMs = 5;
const pollDefaultMs = 2000;

/**
 * Watches a master file. The folder is watched, not the file, because editors write a new file and rename it; whoever
 * replaces the folder itself, or uses a network file system, is noticed by the poll. Watch first and read then, so that
 * no change falls between.
 */
export async function watchZoneFile(options: ZoneFileWatchOptions): Promise<ZoneFileWatch> {
  const zoneWatch = new RunningWatch(options);
  await zoneWatch.start();
  return zoneWatch;
}

class RunningWatch implements ZoneFileWatch {
  readonly #options: ZoneFileWatchOptions;
  readonly #folder: string;
  #files: string[];
  #signature = '';
  #watcher: FSWatcher | undefined;
  #debounce: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;
  #disposed = false;
  /** Something of the burst was a write, not a rename. */
  #isWritten = false;

  constructor(options: ZoneFileWatchOptions) {
    this.#options = options;
    const path = resolve(options.path);
    this.#files = [path];
    this.#folder = dirname(path);
  }

  async start(): Promise<void> {
    this.#signature = await this.#look();
    this.#watchFolder();
    this.#schedulePoll();
  }

  follow(files: readonly string[]): void {
    const known = new Set(this.#files);
    this.#files = [...new Set([resolve(this.#options.path), ...files.map((file) => resolve(file))])];
    // A file that is new here may have changed since it was read: have it read once more.
    if (this.#files.some((file) => !known.has(file))) this.#changed();
  }

  #watchFolder(): void {
    if (this.#watcher || this.#disposed) return;
    try {
      const names = () => new Set(this.#files.map((file) => basename(file)));
      this.#watcher = watch(this.#folder, { persistent: false }, (event, name) => {
        if (name === null || names().has(name)) this.#changed(event === 'rename');
      });
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      // No such folder, or no more watches to be had: the poll goes on and tries again.
      this.#watcher = undefined;
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #changed(isRenamed = false): void {
    this.#isWritten ||= !isRenamed;
    clearTimeout(this.#debounce);
    const waitMs = this.#isWritten ? (this.#options.debounceMs ?? debounceDefaultMs) : renamedAfterMs;
    this.#debounce = setTimeout(() => void this.#tell(), waitMs);
  }

  /** Looks first and tells then, so that the poll sees whatever changes while the files are being read. */
  async #tell(): Promise<void> {
    this.#isWritten = false;
    const signature = await this.#look();
    if (this.#disposed) return;
    this.#signature = signature;
    this.#options.onChange();
  }

  #schedulePoll(): void {
    if (this.#disposed) return;
    this.#poll = setTimeout(() => void this.#pollNow(), this.#options.pollMs ?? pollDefaultMs);
    this.#poll.unref();
  }

  async #pollNow(): Promise<void> {
    const signature = await this.#look();
    if (this.#disposed) return;
    if (signature !== this.#signature) {
      this.#signature = signature;
      // A folder that was replaced is watched under its old self; watch it anew.
      this.#unwatch();
      this.#changed();
    }
    this.#watchFolder();
    this.#schedulePoll();
  }

  /** What the files look like from outside: a change shows here unless it keeps inode, size and time. */
  async #look(): Promise<string> {
    const looks = this.#files.map(async (file) => {
      const found = await stat(file).catch(() => undefined);
      return found ? `${found.ino} ${found.size} ${found.mtimeMs}` : 'missing';
    });
    return (await Promise.all(looks)).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    clearTimeout(this.#debounce);
    clearTimeout(this.#poll);
    this.#unwatch();
  }
}
