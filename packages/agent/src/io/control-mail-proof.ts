import { isoTime } from '@copain/core';
import { mailChecks } from '../doctor-mail.ts';
import type { Agent } from './agent.ts';
import { text } from './control-args.ts';
import type { ControlHandler } from './control-socket.ts';

/** The agent's half of `peer doctor mail` and `peer mail receipts`. */
export function mailProofHandlers(
  agent: Agent,
): Record<'doctor.mail' | 'mail.receipts' | 'mail.settle', ControlHandler> {
  return {
    'doctor.mail': async () => {
      await agent.mailProofs.askNow();
      const servers = agent.serviceChecks(['smtp', 'backup-mx']);
      return { checks: [...servers, ...mailChecks(agent.mailProofs.facts(1))] };
    },
    'mail.receipts': async (args) => {
      const { friend } = args;
      const named = typeof friend === 'string' ? friend : undefined;
      agent.mailProofs.receiptsOf(named);
      await agent.mailProofs.askNow();
      const states = agent.mailProofs.receiptsOf(named);
      return {
        receipts: states.map(({ peer, accepted, fact, failed }) => ({
          friend: agent.nameOfBox(peer),
          id: peer,
          accepted,
          countedFrom: fact?.first ?? null,
          countedTo: fact?.through ?? null,
          waiting: fact?.waiting ?? null,
          waitingSince: fact?.waitingSinceMs === undefined ? null : isoTime(fact.waitingSinceMs),
          missing: fact?.missing ?? [],
          gaps: fact?.gaps ?? [],
          unfitAt: fact?.unfitAt ?? null,
          failed: failed ?? null,
        })),
      };
    },
    'mail.settle': async (args) => ({ boxes: await agent.mailProofs.settle(text(args, 'friend')) }),
  };
}
