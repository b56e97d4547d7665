import { resolve } from 'node:path';
import type { HomePaths } from '@copain/agent';
import { CommandError, ExitCode } from '@copain/core';

/**
 * Resolves where a box's files lie: `--home` or `PEER_HOME`; else the directories that systemd names; else `/etc/peer`,
 * `/var/lib/peer` and `/run/peer` for root and the XDG directories for others. Relative homes start at `cwd`. It stands
 * here and not with the configuration because every command needs it, and loading the configuration's parser takes
 * longer than answering. Throws CommandError (78) where a user has neither HOME nor the XDG variables.
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
    const below = (name: string): string => resolve(cwd, home, name);
    return {
      configFile: below('peer.toml'),
      stateDir: below('state'),
      socketPath: below('peer.sock'),
      credentialsDir,
    };
  }
  const userHome = named('HOME');
  const xdg = (key: string, below: string): string => {
    const base = named(key) ?? (userHome === undefined ? undefined : resolve(userHome, below));
    if (base !== undefined) return resolve(cwd, base, 'peer');
    throw new CommandError(
      ExitCode.configuration,
      'cannot tell where the configuration lies: HOME is not set',
      {
        hint: 'use --home DIR',
      },
    );
  };
  // systemd joins several directories with colons; the first is ours.
  const fromSystemd = (key: string): string | undefined => named(key)?.split(':')[0];
  const configDir =
    fromSystemd('CONFIGURATION_DIRECTORY') ?? (uid === 0 ? '/etc/peer' : xdg('XDG_CONFIG_HOME', '.config'));
  const stateDir =
    fromSystemd('STATE_DIRECTORY') ?? (uid === 0 ? '/var/lib/peer' : xdg('XDG_STATE_HOME', '.local/state'));
  const userRuntime = named('XDG_RUNTIME_DIR');
  const runtimeDir =
    fromSystemd('RUNTIME_DIRECTORY') ??
    (uid === 0 ? '/run/peer' : userRuntime === undefined ? stateDir : resolve(userRuntime, 'peer'));
  return {
    configFile: resolve(configDir, 'peer.toml'),
    stateDir,
    socketPath: resolve(runtimeDir, 'peer.sock'),
    credentialsDir,
  };
}
