import type { MailDomain } from '@copain/mail';
import type { Duty, Roster } from '@copain/trust';
import { besideConfig } from './config-paths.ts';
import type { Config } from './config-schema.ts';

/** The domains this box takes mail for: the owner's own, and friends' by offer and grant. */
export function mailDomains(
  config: Pick<Config, 'name' | 'mail'>,
  roster: Roster,
  duties: readonly Duty[],
  { ownerId: self, configFile }: { ownerId: string; configFile: string },
): MailDomain[] {
  const own = config.mail.map(
    (domain): MailDomain => ({
      domain: domain.domain,
      ownerId: self,
      ownerName: config.name,
      role: 'own',
      sealTo: roster.members.get(self)?.sealTo ?? [],
      // His own disk is the owner's business; what friends may fill is what the quota is for.
      maxBytes: Number.MAX_SAFE_INTEGER,
      deliver: domain.deliver,
      client: domain.client,
      wish: {
        recipients:
          domain.recipients.kind === 'file'
            ? { kind: 'file', path: besideConfig(configFile, domain.recipients.file) }
            : domain.recipients,
        unknown: domain.unknown,
        copies: domain.copies,
      },
    }),
  );
  const forFriends = duties.flatMap((duty): MailDomain[] => {
    const owner = duty.service === 'mail' ? roster.members.get(duty.ownerId) : undefined;
    if (owner === undefined) return [];
    const { name: domain, ownerId, quotaBytes } = duty;
    return [
      { domain, ownerId, ownerName: owner.name, role: 'backup', sealTo: owner.sealTo, maxBytes: quotaBytes },
    ];
  });
  return [...own, ...forFriends];
}
