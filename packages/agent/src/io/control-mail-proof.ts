import { createHash } from 'node:crypto';
import { CommandError, ExitCode, isoTime } from '@copain/core';
import { mailChecks } from '../doctor-mail.ts';
import { mailDnsChecks } from '../doctor-mail-dns.ts';
import { fittingRecords } from '../mail-dns.ts';
import type { Agent } from './agent.ts';
import { text } from './control-args.ts';
import type { ControlHandler } from './control-socket.ts';

/** The id of a policy changes with its text: the first 20 digits of its SHA-256. */
const policyId = (policy: string): string => createHash('sha256').update(policy).digest('hex').slice(0, 20);

/** The agent's half of `peer doctor mail` and `peer mail receipts`. */
export function mailProofHandlers(
  agent: Agent,
): Record<'doctor.mail' | 'mail.dns' | 'mail.receipts' | 'mail.settle', ControlHandler> {
  return {
    'doctor.mail': async () => {
      await agent.mailProofs.askNow();
      const servers = agent.serviceChecks(['smtp', 'backup-mx']);
      const published = (await agent.mailProofs.dnsFacts()).flatMap(mailDnsChecks);
      return { checks: [...servers, ...mailChecks(agent.mailProofs.facts(1)), ...published] };
    },
    'mail.dns': async (args) => {
      const domain = text(args, 'domain');
      if (agent.mailWish(domain) === undefined)
        throw new CommandError(ExitCode.badInput, `this box does not own the mail of ${domain}`, {
          hint: `peer mail add ${domain} --deliver HOST:PORT`,
        });
      await agent.mailProofs.knowBackups();
      const [facts] = await agent.mailProofs.dnsFacts(domain);
      if (facts === undefined) throw new Error(`no facts of ${domain}`);
      const { backups, published, askedOf } = facts;
      const { ipv4, ipv6 } = agent.publicAddress.current();
      const fitting = fittingRecords({ domain, backups, published, address: { ipv4, ipv6 }, policyId });
      return { domain, askedOf, ...fitting };
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
