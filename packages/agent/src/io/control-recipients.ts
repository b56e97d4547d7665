import { CommandError, ExitCode, isoTime } from '@copain/core';
import type { Agent } from './agent.ts';

/** `peer mail recipients DOMAIN [add|remove ADDRESS…]`: what is known of them, after the change if one is asked for. */
export async function mailRecipients(agent: Agent, args: Record<string, unknown>): Promise<object> {
  const domain = typeof args.domain === 'string' ? args.domain : '';
  const facts = agent.mail.recipients(domain);
  if (facts === undefined)
    throw new CommandError(ExitCode.badInput, `this box takes no mail for ${domain}`, {
      hint: 'peer status',
    });
  const { change } = args;
  const addresses = Array.isArray(args.addresses) ? args.addresses.map(String) : [];
  if (change === 'add' || change === 'remove') {
    if (facts.role === 'backup')
      throw new CommandError(ExitCode.badInput, `${domain} is a friend's: its recipients are his to say`);
    if (agent.mailWish(domain)?.recipients.kind === 'file')
      throw new CommandError(ExitCode.badInput, `the recipients of ${domain} stand in a file`, {
        hint: 'edit the file that [[mail]] recipients names; it is read again within a second',
      });
    for (const address of addresses.map((one) => (one.includes('@') ? one : `${one}@${domain}`))) {
      const at = address.lastIndexOf('@');
      if (at < 1 || address.slice(at + 1).toLowerCase() !== domain || /[\s<>]/.test(address))
        throw new CommandError(ExitCode.badInput, `${address} is no address of ${domain}`);
      const done = await agent.mail.changeRecipient(`${address.slice(0, at)}@${domain}`, change);
      if (!done)
        throw new CommandError(
          ExitCode.badInput,
          change === 'add'
            ? `no room for ${address}: too many were added by hand`
            : `${address} is not known`,
        );
    }
  }
  const now = agent.mail.recipients(domain) ?? facts;
  return {
    domain,
    role: now.role,
    recipients: now.role === 'own' ? (agent.mailWish(domain)?.recipients.kind ?? 'any') : null,
    any: now.any,
    unknown: now.unknown,
    known: now.known,
    refused: now.refused,
    addresses: now.addresses.map(({ local, source }) => ({ address: `${local}@${domain}`, source })),
    friends: now.friends.map(({ ownerId, isCurrent, toldAtMs }) => ({
      name: agent.nameOfOwner(ownerId),
      isCurrent,
      toldAt: toldAtMs === undefined ? null : isoTime(toldAtMs),
    })),
    heardAt: now.heardAtMs === undefined ? null : isoTime(now.heardAtMs),
  };
}
