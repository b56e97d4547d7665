import { startFloodedCircle } from '../../test/e2e/lib/flooded-circle.ts';
import { whyNot } from '../../test/e2e/lib/programs.ts';
import type { Figures } from './figures.ts';

/** What strangers do, in turn; or nothing but whole handshakes, which cost most to answer. */
const mixture = ['full', 'half', 'full', 'silent'] as const;
const wholeOnly = ['full'] as const;

/**
 * A box at whose mesh port strangers open 200 connections a second for `seconds`: how long a friend who starts afresh takes
 * to be in, what the agent computes and holds, and whether anybody is doubted.
 */
export async function measureFlood(
  { record }: Figures,
  options: { seconds: number; onlyWhole: boolean },
): Promise<void> {
  const lacking = whyNot({ programs: ['ip', 'bridge', 'nft'], root: true }, 'the flood');
  if (lacking !== undefined) throw new Error(lacking);
  await using circle = await startFloodedCircle();
  const places = {
    everywhere: 'strangers from 250 networks',
    carol: "strangers at the friend's own address",
  } as const;
  for (const from of ['everywhere', 'carol'] as const) {
    const what = places[from];
    const { count, togetherMs, cpu, rssBytes, doubts } = await circle.flood(from, {
      perSecond: 200,
      forMs: options.seconds * 1000,
      kinds: options.onlyWhole ? wholeOnly : mixture,
    });
    record(`${what}: connections opened`, '/s', [count.rate]);
    record(`${what}: whole handshakes computed`, '/s', [count.handshakes / options.seconds]);
    record(`${what}: friend is in after`, 'ms', togetherMs);
    record(`${what}: share of one core`, '%', [100 * cpu]);
    record(
      `${what}: resident memory`,
      'MiB',
      rssBytes.map((bytes) => bytes / 2 ** 20),
    );
    record(`${what}: friends doubted`, '', [doubts.length]);
  }
}
