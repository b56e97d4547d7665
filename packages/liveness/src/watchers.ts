/** A box that may watch another, and the network it sits in; '' where that is not known. */
export interface Candidate {
  peer: string;
  network: string;
}

/**
 * Which of these watch a box, `count` of them at most, sorted: the highest by rendezvous hash, one of each network before
 * a second of any. Every box that knows the same candidates finds the same watchers, each is chosen as often as any
 * other, and whoever joins or leaves changes one watcher at most.
 */
export function watchersOf(about: string, candidates: readonly Candidate[], count: number): string[] {
  const ranked = candidates
    .filter(({ peer }) => peer !== about)
    .map(({ peer, network }) => ({
      peer,
      network: network === '' ? `only ${peer}` : network,
      score: score(about, peer),
    }))
    .toSorted((a, b) => b.score - a.score || (a.peer < b.peer ? -1 : 1));
  const networks = new Set<string>();
  const first: string[] = [];
  const rest: string[] = [];
  for (const { peer, network } of ranked) {
    (networks.has(network) ? rest : first).push(peer);
    networks.add(network);
  }
  return [...first, ...rest].slice(0, count).toSorted();
}

/** 53 evenly spread bits of both names together. Nobody gains anything by choosing a key that watches somebody. */
function score(about: string, peer: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  const text = `${about} ${peer}`;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    high = Math.imul(high ^ code, 2_654_435_761);
    low = Math.imul(low ^ code, 1_597_334_677);
  }
  const mix = (a: number, b: number): number =>
    Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  const mixedHigh = mix(high, low);
  const mixedLow = mix(low, mixedHigh);
  return 4_294_967_296 * (2_097_151 & mixedLow) + (mixedHigh >>> 0);
}
