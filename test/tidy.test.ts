import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname } from 'node:path';
import { expect, it } from 'vitest';

/** Who may import whom: `pure` for src/, `io` for src/io/, which may also use node: and all of its room. */
const mayImport: Record<string, { pure: string[]; io?: string[] }> = {
  core: { pure: [] },
  trust: { pure: ['@copain/core', 'cborg'] },
  mesh: {
    pure: ['@copain/core', '@copain/trust'],
    io: [
      '@copain/core',
      '@copain/trust',
      '@chainsafe/libp2p-noise',
      '@libp2p/circuit-relay-v2',
      '@libp2p/crypto/keys',
      '@libp2p/identify',
      '@libp2p/interface',
      '@libp2p/peer-id',
      '@libp2p/peer-record',
      '@libp2p/tcp',
      '@libp2p/yamux',
      '@multiformats/multiaddr',
      'it-length-prefixed',
      'it-pipe',
      'libp2p',
      'uint8arraylist',
    ],
  },
  dns: {
    pure: ['@copain/core', '@copain/trust', 'cborg'],
    io: ['@copain/core', '@copain/trust', 'dns-packet'],
  },
  mail: {
    pure: ['@copain/core', '@copain/trust'],
    io: ['@copain/core', '@copain/trust', '@scure/base', 'age-encryption', 'smtp-server'],
  },
  liveness: { pure: ['@copain/core', '@copain/trust'], io: ['@copain/core'] },
  store: { pure: ['@copain/core'], io: ['@copain/core', 'level'] },
  status: { pure: ['@copain/core'] },
  agent: {
    pure: [
      '@copain/core',
      '@copain/trust',
      '@copain/mesh',
      '@copain/dns',
      '@copain/mail',
      '@copain/liveness',
      '@copain/status',
      'toml-eslint-parser',
      'valibot',
    ],
    io: [
      '@copain/core',
      '@copain/trust',
      '@copain/mesh',
      '@copain/mesh/io',
      '@copain/dns',
      '@copain/dns/io',
      '@copain/mail',
      '@copain/mail/io',
      '@copain/liveness',
      '@copain/liveness/io',
      '@copain/status',
      '@copain/store',
      '@copain/store/io',
      'age-encryption',
      'pino',
      'pino-pretty',
    ],
  },
  cli: {
    pure: ['@copain/core', '@copain/mail', '@copain/status'],
    io: [
      '@copain/core',
      '@copain/status',
      '@copain/agent',
      '@copain/agent/io',
      '@copain/dns',
      '@copain/dns/io',
      '@copain/mail',
      '@copain/mail/io',
      'commander',
      'postal-mime',
      'uqr',
    ],
  },
};
/** Static imports and re-exports begin a line; comments and texts that only look like one do not. */
const importFrom =
  /^(?:import|export)\s[^;'"]*?\bfrom\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;

function allowed(file: string, target: string): boolean {
  const [, room = '', , folder] = file.split('/');
  const acts = folder === 'io';
  if (isBuiltin(target)) return acts;
  if (!target.startsWith('.')) return mayImport[room]?.[acts ? 'io' : 'pure']?.includes(target) ?? false;
  const path = new URL(target, `file:///${file}`).pathname;
  return path.startsWith(`/packages/${room}/src/`) && (acts || !path.includes('/src/io/'));
}

/** Contract suites, and what tests are made of, are tests that several files share, so they may import what tests may. */
const sources = () =>
  globSync('packages/*/src/**/*.ts', { exclude: ['**/*.test.ts', '**/contract-suite.ts', '**/testing*.ts'] });

it("imports go one way, and only through a package's face", () => {
  const imports = sources().flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(importFrom)].map(([, from, bare, lazy]) => ({
      file,
      target: from ?? bare ?? lazy ?? '',
    })),
  );
  expect(imports.length).toBeGreaterThan(50);
  expect(imports.filter(({ file, target }) => !allowed(file, target))).toEqual([]);
});

it('only `peer up` loads the agent, so that every other command starts fast', () => {
  const statically = /^import [^;]*from '@copain\/agent(\/io)?'/m;
  const guilty = globSync('packages/cli/src/**/*.ts', { exclude: ['**/*.test.ts'] }).filter((file) => {
    const text = readFileSync(file, 'utf8').replaceAll(/^import type [^;]*;/gm, '');
    return statically.test(text);
  });
  expect(guilty).toEqual([]);
});

it('the root builds every project', () => {
  const root = JSON.parse(readFileSync('tsconfig.json', 'utf8')) as { references: { path: string }[] };
  const projects = globSync('{packages/*,packages/*/src/io,test}/tsconfig.json').map(dirname);
  expect(root.references.map(({ path }) => path).sort()).toEqual(projects.sort());
});
