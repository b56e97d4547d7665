/**
 * The acting side of liveness: tries the services of friends.
 *
 *     const check = parseCheck('https://www.alice.example/health#contains=ok');
 *     const result = await probe(check, { address: '203.0.113.7', allowPrivate: false });
 *
 * Promises: over after 10 s, reads at most 64 kB, follows nothing, never rejects. Decides nothing about anybody.
 */
export { type ProbeOptions, probe } from './probe.ts';
