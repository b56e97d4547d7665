import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SystemCall } from './testing-syscall-log.ts';

/**
 * How a disk keeps names. `journal`: as file systems do that log their changes: any sync makes all that was done to names
 * before it durable, and of what came after a part in its order. `posix`: no more than the standard promises: a name is
 * there once its own folder was synced, and of all others any may be; but for the files of a database (in a folder `db`), which relies
 * on it that a file which is synced has its name.
 */
export type NameKeeping = 'journal' | 'posix';

/** One change of names: what each path leads to from then on, undefined for nothing. */
interface NameChange {
  changes: [path: string, to: Inode | undefined][];
  keeping: NameKeeping;
  durable: boolean;
}

/** A file or, without content, a folder. */
interface Inode {
  folder: boolean;
  /** As programs see it, and as the disk has it. */
  live: Buffer;
  durable: Buffer;
}

/** What lay under `root` when the power went after line `cutAt` of the log: as programs saw it, and what is certain. */
export class CutDisk {
  readonly #root: string;
  readonly #inodes = new Map<string, Inode>();
  readonly #names: NameChange[] = [];
  readonly #keeping: NameKeeping;

  constructor(
    calls: readonly SystemCall[],
    { root, cutAt, keeping }: { root: string; cutAt: number; keeping: NameKeeping },
  ) {
    this.#root = root;
    this.#keeping = keeping;
    this.#inodes.set(root, newInode(true));
    const steps: { at: number; act: () => void }[] = [];
    for (const call of calls) {
      if (call.beganAt > cutAt) continue;
      if (call.name === 'fsync' || call.name === 'fdatasync') {
        // Only what was done before it began is certain, and only once it has returned.
        let certain = (): void => {};
        steps.push({ at: call.beganAt, act: () => (certain = this.#certainAfter(call.on)) });
        if (call.endedAt <= cutAt) steps.push({ at: call.endedAt + 0.5, act: () => certain() });
      } else steps.push({ at: Math.min(call.endedAt, cutAt), act: () => this.#do(call) });
    }
    // `sort` is stable: what began and ended on one line stays in its order.
    for (const { act } of steps.sort((a, b) => a.at - b.at)) act();
  }

  /** Makes in `into` one of the disks that may be found: `choose(n)` answers a whole number below n. */
  async write(into: string, choose: (below: number) => number): Promise<void> {
    const found = new Map<string, Inode>();
    const waiting = this.#names.filter(({ durable }) => !durable).length;
    let more = choose(waiting + 1);
    for (const { changes, keeping, durable } of this.#names) {
      if (!durable) {
        if (keeping === 'journal' ? more <= 0 : choose(2) === 0) continue;
        more -= 1;
      }
      for (const [path, inode] of changes) {
        if (inode) found.set(path, inode);
        else found.delete(path);
      }
    }
    const isThere = (path: string): boolean =>
      path === this.#root || (found.get(path)?.folder === true && isThere(dirname(path)));
    for (const [path, inode] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!isThere(dirname(path))) continue;
      const target = join(into, path.slice(this.#root.length));
      if (inode.folder) await mkdir(target);
      else await writeFile(target, torn(inode, choose));
    }
  }

  #certainAfter(path: string): () => void {
    const inode = this.#inodes.get(path);
    const content = inode && Buffer.from(inode.live);
    const names = this.#names.filter(
      ({ changes, keeping }) => keeping === 'journal' || changes.every(([name]) => dirname(name) === path),
    );
    return () => {
      if (inode && content) inode.durable = content;
      for (const name of names) name.durable = true;
    };
  }

  #do(call: SystemCall): void {
    const [path = '', to = ''] = call.strings.map((bytes) => bytes.toString('utf8'));
    if (call.name === 'openat') {
      if (call.text.includes('O_CREAT') && !this.#inodes.has(path)) this.#rename([[path, newInode(false)]]);
      const inode = this.#inodes.get(path);
      if (inode && call.text.includes('O_TRUNC')) inode.live = Buffer.alloc(0);
    } else if (call.name === 'mkdir') this.#rename([[path, newInode(true)]]);
    else if (call.name === 'rename') {
      this.#rename([
        [to, this.#inodes.get(path)],
        [path, undefined],
      ]);
    } else if (/^(?:unlink|unlinkat|rmdir)$/.test(call.name)) this.#rename([[path, undefined]]);
    else if (call.name === 'ftruncate' || call.name === 'truncate') {
      const inode = this.#inodes.get(call.name === 'truncate' ? path : call.on);
      if (inode) inode.live = sized(inode.live, call.numbers.at(-1) ?? 0);
    } else {
      const inode = this.#inodes.get(call.on);
      const bytes = Buffer.concat(call.strings);
      // `write` goes on where the one before it ended, and every file here is written from its start to its end.
      const at = call.name.startsWith('pwrite') ? (call.numbers.at(-1) ?? 0) : (inode?.live.length ?? 0);
      if (!inode) return;
      inode.live = sized(inode.live, Math.max(inode.live.length, at + bytes.length));
      bytes.copy(inode.live, at);
    }
  }

  #rename(changes: NameChange['changes']): void {
    const here = changes.filter(([path]) => path.startsWith(`${this.#root}/`));
    if (here.length === 0) return;
    for (const [path, inode] of here) {
      if (inode) this.#inodes.set(path, inode);
      else this.#inodes.delete(path);
    }
    const isDatabase = here.every(([path]) => dirname(path).endsWith('/db'));
    this.#names.push({ changes: here, keeping: isDatabase ? 'journal' : this.#keeping, durable: false });
  }
}

const newInode = (folder: boolean): Inode => ({ folder, live: Buffer.alloc(0), durable: Buffer.alloc(0) });

const sized = (bytes: Buffer, sizeBytes: number): Buffer =>
  Buffer.concat([bytes.subarray(0, sizeBytes)], sizeBytes);

const sectorBytes = 512;

/** Of what was not synced each sector is there or not, and so is the length. */
function torn({ live, durable }: Inode, choose: (below: number) => number): Buffer {
  const [short, long] = [live.length, durable.length].sort((a, b) => a - b) as [number, number];
  const lengths = [live.length, durable.length, short + choose(long - short + 1)];
  const found = sized(Buffer.from(durable), lengths[choose(3)] ?? durable.length);
  for (let at = 0; at < found.length; at += sectorBytes) {
    const sector = live.subarray(at, Math.min(at + sectorBytes, found.length));
    if (choose(2) === 1) sector.copy(found, at);
  }
  return found;
}
