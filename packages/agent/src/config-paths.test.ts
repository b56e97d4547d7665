import { expect, it } from 'vitest';
import { absolutePath, besideConfig, homePaths, relativeToConfig } from './config-paths.ts';
import { formatRate, parseRate } from './config-rate.ts';

const paths = (options: { home?: string; env?: Record<string, string>; uid?: number }) => {
  const { configFile, stateDir, socketPath } = homePaths({
    home: options.home,
    env: options.env ?? {},
    uid: options.uid ?? 1000,
    cwd: '/w',
  });
  return [configFile, stateDir, socketPath];
};

it('--home holds everything of one box, and goes before PEER_HOME', () => {
  const all = (home: string) => [`${home}/peer.toml`, `${home}/state`, `${home}/peer.sock`];
  expect(paths({ home: '/b', env: { PEER_HOME: '/other' } })).toEqual(all('/b'));
  expect(paths({ env: { PEER_HOME: 'demo/../bob' } })).toEqual(all('/w/bob'));
});

it('without it, root has the system directories and others the XDG ones', () => {
  expect(paths({ uid: 0 })).toEqual(['/etc/peer/peer.toml', '/var/lib/peer', '/run/peer/peer.sock']);
  expect(paths({ env: { HOME: '/home/a' } })).toEqual([
    '/home/a/.config/peer/peer.toml',
    '/home/a/.local/state/peer',
    '/home/a/.local/state/peer/peer.sock',
  ]);
  expect(
    paths({
      env: { HOME: '/home/a', XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: '/s', XDG_RUNTIME_DIR: '/run/user/1' },
    }),
  ).toEqual(['/c/peer/peer.toml', '/s/peer', '/run/user/1/peer/peer.sock']);
  expect(() => paths({})).toThrow(/HOME/);
});

it('directories that systemd names are used as they are, the first of several', () => {
  const env = {
    CONFIGURATION_DIRECTORY: '/etc/peer',
    STATE_DIRECTORY: '/var/lib/private/peer:/x',
    RUNTIME_DIRECTORY: '/run/p',
    CREDENTIALS_DIRECTORY: '/run/credentials/peer.service',
  };
  expect(homePaths({ env, uid: 998, cwd: '/' })).toEqual({
    configFile: '/etc/peer/peer.toml',
    stateDir: '/var/lib/private/peer',
    socketPath: '/run/p/peer.sock',
    credentialsDir: '/run/credentials/peer.service',
  });
});

it('files named in peer.toml are relative to its folder, and are written so where they lie below it', () => {
  expect(besideConfig('/b/peer.toml', 'zones/a')).toBe('/b/zones/a');
  expect(besideConfig('/b/peer.toml', '/etc/a')).toBe('/etc/a');
  expect(relativeToConfig('/b/peer.toml', '/b/zones/a')).toBe('zones/a');
  expect(relativeToConfig('/b/peer.toml', '/bb/a')).toBe('/bb/a');
  expect(absolutePath('/a/b', '../../../c/./d')).toBe('/c/d');
});

it('speeds are bits in the file and bytes in the program', () => {
  expect(parseRate('128kbit')).toBe(16_000);
  expect(parseRate('1.5Mbit/s')).toBe(187_500);
  for (const bad of ['128', '128kB', '0kbit', '1bit', '-1kbit', 'fast'])
    expect(parseRate(bad)).toBeUndefined();
  expect(formatRate(16_000)).toBe('128 kbit/s');
  expect(formatRate(187_500)).toBe('1.5 Mbit/s');
});
