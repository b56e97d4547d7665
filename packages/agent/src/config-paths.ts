import { CommandError, ExitCode } from '@copain/core';

/** Where the files of one box lie; all absolute. */
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

/**
 * Resolves where a box's files lie: `--home` or `PEER_HOME`; else the directories that systemd names; else `/etc/peer`,
 * `/var/lib/peer` and `/run/peer` for root and the XDG directories for others. `home` and `PEER_HOME` may be relative
 * to `cwd`. Throws CommandError (78) where a user has neither HOME nor the XDG variables.
 */
export function homePaths(options: {
  home?: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  uid: number;
  cwd: string;
}): HomePaths {
  const { env, uid, cwd } = options;
  const named = (key: string): string | undefined => env[key] || undefined;
  const credentialsDir = named('CREDENTIALS_DIRECTORY');
  const home = options.home ?? named('PEER_HOME');
  if (home !== undefined) {
    const dir = absolutePath(cwd, home);
    const below = (name: string): string => absolutePath(dir, name);
    return {
      configFile: below('peer.toml'),
      stateDir: below('state'),
      socketPath: below('peer.sock'),
      credentialsDir,
    };
  }
  const userHome = named('HOME');
  const xdg = (key: string, below: string): string => {
    const base = named(key) ?? (userHome === undefined ? undefined : `${userHome}/${below}`);
    if (base !== undefined) return absolutePath(cwd, `${base}/peer`);
    throw new CommandError(
      ExitCode.configuration,
      'cannot tell where the configuration lies: HOME is not set',
      {
        hint: 'use --home DIR',
      },
    );
  };
  /** systemd joins several directories with colons; the first is ours. */
  const fromSystemd = (key: string): string | undefined => named(key)?.split(':')[0];
  const configDir =
    fromSystemd('CONFIGURATION_DIRECTORY') ?? (uid === 0 ? '/etc/peer' : xdg('XDG_CONFIG_HOME', '.config'));
  const stateDir =
    fromSystemd('STATE_DIRECTORY') ?? (uid === 0 ? '/var/lib/peer' : xdg('XDG_STATE_HOME', '.local/state'));
  const runtimeDir =
    fromSystemd('RUNTIME_DIRECTORY') ??
    (uid === 0 ? '/run/peer' : named('XDG_RUNTIME_DIR') ? xdg('XDG_RUNTIME_DIR', '') : stateDir);
  return {
    configFile: `${configDir}/peer.toml`,
    stateDir,
    socketPath: `${runtimeDir}/peer.sock`,
    credentialsDir,
  };
}
