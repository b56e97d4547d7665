import { beforeAll, describe, expect, it } from 'vitest';
import { type FloodedCircle, startFloodedCircle } from './lib/flooded-circle.ts';
import { whyNot } from './lib/programs.ts';
import { openScene } from './lib/scene.ts';

const scene = openScene();
const skip = whyNot({ programs: ['ip', 'bridge', 'nft'], root: true }, 'the flood') !== undefined;

describe.skipIf(skip)('a box at whose mesh port strangers open 200 connections a second', () => {
  let circle: FloodedCircle;
  beforeAll(async () => {
    circle = scene.use(await startFloodedCircle());
  });

  it.for([
    ['from 250 networks', 'everywhere'],
    ["from a friend's own address", 'carol'],
  ] as const)(
    '%s, with whole handshakes, halves, and silent ones: that friend, started afresh, is in within 5 s, and nobody is doubted',
    async ([, from]) => {
      const flooded = await circle.flood(from, {
        perSecond: 200,
        forMs: 18_000,
        kinds: ['full', 'half', 'full', 'silent'],
      });
      process.stderr.write(`flood ${from}: ${JSON.stringify(flooded)}\n`);
      expect(flooded.count.opened).toBeGreaterThan(1000);
      expect(flooded.count.handshakes).toBeGreaterThan(0);
      expect(flooded.togetherMs.length).toBeGreaterThan(0);
      expect(Math.max(...flooded.togetherMs)).toBeLessThan(5000);
      expect(flooded.doubts).toEqual([]);
    },
  );
});
