import { expect, it } from 'vitest';
import { homePaths } from './home-paths.ts';

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
