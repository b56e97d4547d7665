import { type FSWatcher, watch } from 'node:fs';

/** What the system says of a folder; `name` is null where it does not say of which of its files. */
type FolderListener = (event: 'rename' | 'change', name: string | null) => void;

/** One listener's part of a watch that all who look at the same folder share. */
export interface FolderWatch extends Disposable {
  /** Gives it up for all who come later too: the folder was replaced, and this watch is of the one before. */
  abandon(): void;
}

interface SharedWatch {
  watcher: FSWatcher;
  listeners: Map<FolderListener, () => void>;
}

const shared = new Map<string, SharedWatch>();

/**
 * Watches a folder. A thousand zones in one folder cost one watch. `failed` is called where it ends by itself. Throws where
 * there is no such folder, or no more watches are to be had.
 */
export function watchFolder(folder: string, listener: FolderListener, failed: () => void): FolderWatch {
  const found = shared.get(folder) ?? open(folder);
  found.listeners.set(listener, failed);
  const leave = (): void => {
    if (found.listeners.delete(listener) && found.listeners.size === 0) end(folder, found);
  };
  return {
    abandon: () => {
      if (shared.get(folder) === found) shared.delete(folder);
      leave();
    },
    [Symbol.dispose]: leave,
  };
}

function open(folder: string): SharedWatch {
  const listeners: SharedWatch['listeners'] = new Map();
  const watcher = watch(folder, { persistent: false }, (event, name) => {
    for (const listener of listeners.keys()) listener(event, name);
  });
  const opened = { watcher, listeners };
  watcher.on('error', () => {
    end(folder, opened);
    for (const failed of listeners.values()) failed();
  });
  shared.set(folder, opened);
  return opened;
}

function end(folder: string, one: SharedWatch): void {
  if (shared.get(folder) === one) shared.delete(folder);
  one.watcher.close();
}
