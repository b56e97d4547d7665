import { lstat, readlink, stat } from 'node:fs/promises';
import { basename, dirname, join, parse, resolve, sep } from 'node:path';
import { type FolderWatch, watchFolder } from './watch-folder.ts';

export interface ZoneFileWatchOptions {
  path: string;
  /**
   * Called 50 ms after the last write to a file, 5 ms after one was renamed into its place, which makes it whole at once;
   * may be called where nothing changed in the end. `isWhole`: all that happened were such renames.
   */
  onChange: (isWhole: boolean) => void;
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

/** Links that are followed to one file, as many as Linux follows. */
const linksMax = 40;

/**
 * Watches a master file and what it includes. The folders are watched, not the files, because editors write a new file
 * and rename it; so are those of each link on the way, since whoever publishes with links swaps those. Who replaces a
 * folder itself, or uses a network file system, is noticed by the poll. Watch first and read then, so that no change
 * falls between.
 */
export async function watchZoneFile(options: ZoneFileWatchOptions): Promise<ZoneFileWatch> {
  const zoneWatch = new RunningWatch(options);
  await zoneWatch.start();
  return zoneWatch;
}

class RunningWatch implements ZoneFileWatch {
  readonly #options: ZoneFileWatchOptions;
  #files: string[];
  #signature = '';
  /** By folder: which of its names count. */
  #places: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  readonly #watchers = new Map<string, FolderWatch>();
  #debounce: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;
  #disposed = false;
  /** Something of the burst was a write, not a rename. */
  #isWritten = false;

  constructor(options: ZoneFileWatchOptions) {
    this.#options = options;
    this.#files = [resolve(options.path)];
  }

  async start(): Promise<void> {
    this.#signature = await this.#look();
    await this.#watchPlaces();
    this.#schedulePoll();
  }

  follow(files: readonly string[]): void {
    const known = new Set(this.#files);
    this.#files = [...new Set([resolve(this.#options.path), ...files.map((file) => resolve(file))])];
    // A file that is new here may have changed since it was read: have it read once more.
    if (this.#files.some((file) => !known.has(file))) this.#changed();
  }

  async #watchPlaces(): Promise<void> {
    const places = new Map<string, Set<string>>();
    for (const file of this.#files) {
      for (const place of await placesOf(file)) {
        const names = places.get(dirname(place)) ?? new Set();
        places.set(dirname(place), names.add(basename(place)));
      }
    }
    this.#places = places;
    for (const folder of this.#watchers.keys()) if (!places.has(folder)) this.#unwatch(folder);
    for (const folder of places.keys()) this.#watchFolder(folder);
  }

  #watchFolder(folder: string): void {
    if (this.#watchers.has(folder) || this.#disposed) return;
    try {
      const watcher = watchFolder(
        folder,
        (event, name) => {
          if (name === null || this.#places.get(folder)?.has(name)) this.#changed(event === 'rename');
        },
        () => this.#unwatch(folder),
      );
      this.#watchers.set(folder, watcher);
    } catch {
      // No such folder, or no more watches to be had: the poll goes on and tries again.
    }
  }

  #unwatch(folder: string): void {
    this.#watchers.get(folder)?.[Symbol.dispose]();
    this.#watchers.delete(folder);
  }

  #changed(isRenamed = false): void {
    this.#isWritten ||= !isRenamed;
    clearTimeout(this.#debounce);
    const waitMs = this.#isWritten ? (this.#options.debounceMs ?? debounceDefaultMs) : renamedAfterMs;
    this.#debounce = setTimeout(() => void this.#tell(), waitMs);
  }

  /** Looks first and tells then, so that the poll sees whatever changes while the files are being read. */
  async #tell(): Promise<void> {
    const isWhole = !this.#isWritten;
    this.#isWritten = false;
    const signature = await this.#look();
    // What the links lead to now is watched before it is read.
    await this.#watchPlaces();
    if (this.#disposed) return;
    this.#signature = signature;
    this.#options.onChange(isWhole);
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
      for (const watcher of this.#watchers.values()) watcher.abandon();
      this.#watchers.clear();
      this.#changed();
    }
    // Where the way to the files changed, so did what they look like.
    if ([...this.#places.keys()].some((folder) => !this.#watchers.has(folder))) await this.#watchPlaces();
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
    for (const folder of this.#watchers.keys()) this.#unwatch(folder);
  }
}

/** Where it is decided what a path leads to: the file in the end, and each link on the way. */
async function placesOf(path: string): Promise<string[]> {
  const places: string[] = [];
  let at = parse(path).root;
  let rest = path.slice(at.length).split(sep);
  while (rest.length > 0) {
    const [part = '', ...later] = rest;
    const here = join(at, part);
    const isLink = places.length < linksMax && (await lstat(here).catch(() => undefined))?.isSymbolicLink();
    if (isLink) {
      places.push(here);
      const target = resolve(at, await readlink(here).catch(() => here));
      at = parse(target).root;
      rest = [...target.slice(at.length).split(sep), ...later];
    } else {
      at = here;
      rest = later;
    }
  }
  return [...places, at];
}
