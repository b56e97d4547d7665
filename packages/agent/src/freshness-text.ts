import { humanDuration } from '@copain/core';
import type { FreshnessStage } from '@copain/dns';

/** Origins spelled out in one event; an owner of hundreds of zones gives one event, not hundreds. */
const maxOrigins = 3;

/**
 * Copies of one person's zones that stand alike. `here`: his zones, kept on this box; `there`: this box's zones, kept by
 * him. `stage` undefined: they were refreshed. The spans are of the copy that ends first.
 */
export interface AgedCopies {
  side: 'here' | 'there';
  name: string;
  origins: readonly string[];
  stage: FreshnessStage | undefined;
  silentMs: number;
  leftMs: number;
}

/** What the event log is told of them; undefined where another event says it already. */
export function freshnessEvent(copies: AgedCopies): { kind: string; text: string } | undefined {
  const { side, name, stage } = copies;
  const [zones, silent, left] = [
    listed(copies.origins),
    humanDuration(copies.silentMs),
    humanDuration(copies.leftMs),
  ];
  if (side === 'here') {
    if (stage === undefined)
      return { kind: 'zone.fresh', text: `${name} was heard again: ${zones} lasts ${left} more here.` };
    // Its end is an event of its own, at that very second.
    if (stage === 100) return undefined;
    const text = `Nothing was heard from ${name} about ${zones} for ${silent}, ${stage} % of the time: answered here for ${left} more.`;
    return { kind: 'zone.aging', text };
  }
  if (stage === undefined)
    return {
      kind: 'zone.copy-fresh',
      text: `${name} has the newest word on ${zones} again, which lasts ${left} more.`,
    };
  if (stage === 100) {
    const text = `${name} stopped answering ${zones}: his copy had no word from this box for ${silent}. It begins again when his box and this one hear each other, directly or through friends.`;
    return { kind: 'zone.copy-expired', text };
  }
  const text = `${name} has had no word on ${zones} for ${silent}, ${stage} % of the time: his copy is answered for ${left} more.`;
  return { kind: 'zone.copy-aging', text };
}

/** `a.example, b.example, c.example and 7 more`. */
function listed(origins: readonly string[]): string {
  const shown = origins.slice(0, maxOrigins).join(', ');
  return origins.length > maxOrigins ? `${shown} and ${origins.length - maxOrigins} more` : shown;
}
