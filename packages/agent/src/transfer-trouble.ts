/** A query from the address of a server in `[dns] transfer` whose TSIG was not good (RFC 8945 §5.2). */
export interface BadSignature {
  peer: string;
  key: string;
  /** BADKEY, BADSIG or BADTIME. */
  error: string;
  /** His clock less ours. */
  aheadS: number;
}

/** When people were told of a trouble, by what it is about. */
export type ToldTroubles = ReadonlyMap<string, number>;

/** The same trouble is told again after an hour at the soonest: a server with a wrong key asks every few seconds. */
const againAfterMs = 3_600_000;
/** Different troubles that are remembered; addresses and keys are ours to list, so there are few. */
const troublesMax = 1000;

/** Notes that a trouble, named by `about`, is told now; undefined where it was within the hour. */
export function tellTrouble(told: ToldTroubles, about: string, nowMs: number): ToldTroubles | undefined {
  const lastAtMs = told.get(about);
  if (lastAtMs !== undefined && nowMs - lastAtMs < againAfterMs) return undefined;
  const others = [...told].filter(([one]) => one !== about).slice(-(troublesMax - 1));
  return new Map([...others, [about, nowMs]]);
}

/** What is wrong with a signature, and what to do about it. */
export function badSignatureText({ peer, key, error, aheadS }: BadSignature): string {
  const who = `A server at ${peer} asks for zones`;
  if (error === 'BADKEY')
    return `${who} with a key "${key}" that [dns] transfer does not have for it (BADKEY): peer zone serve-with prints the one it has.`;
  if (error === 'BADSIG')
    return `${who} with the key "${key}", but with another secret (BADSIG): peer zone serve-with prints the right one.`;
  const side = aheadS > 0 ? 'ahead of' : 'behind';
  return `${who}, but its clock is ${Math.abs(aheadS)} s ${side} this one's, and 300 s are allowed (${error}): set the clock that is wrong.`;
}

/** What a server says no to. */
export function refusedNotifyText(refusal: { peer: string; zone: string; rcode: string }): string {
  const { peer, zone, rcode } = refusal;
  return `${peer} does not want ${zone} (${rcode} to NOTIFY): peer zone serve-with prints what its configuration needs. It is asked again.`;
}
