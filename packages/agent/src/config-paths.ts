/** Where the files of one box lie; all absolute. The command line resolves them. */
export interface HomePaths {
  configFile: string;
  /** Mode 0700. */
  stateDir: string;
  /** The control socket of the agent, mode 0600. */
  socketPath: string;
  /** Where systemd puts credentials, if it does. */
  credentialsDir: string | undefined;
}

/** An absolute path from `path`, which may be relative to the folder `dir`; `.` and `..` are resolved by text alone. */
export function absolutePath(dir: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith('/') ? path : `${dir}/${path}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** The folder that a file lies in. */
export function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf('/')) || '/';
}

/** A file named in `peer.toml` as an absolute path: relative ones are relative to the folder of `peer.toml`. */
export function besideConfig(configFile: string, path: string): string {
  return absolutePath(folderOf(configFile), path);
}

/** How `path` is written into `peer.toml`: relative when it lies below the folder of `peer.toml`, else absolute. */
export function relativeToConfig(configFile: string, path: string): string {
  const folder = folderOf(configFile);
  const prefix = folder === '/' ? '/' : `${folder}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : path;
}
