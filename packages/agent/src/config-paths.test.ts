import { expect, it } from 'vitest';
import { absolutePath, besideConfig, relativeToConfig } from './config-paths.ts';
import { formatRate, parseRate } from './config-rate.ts';

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
