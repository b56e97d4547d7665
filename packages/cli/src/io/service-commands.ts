import { resolve } from 'node:path';
import { CommandError, ExitCode, visible } from '@copain/core';
import { type StandbyService, standbyTable } from '@copain/status';
import { appliedText, changeConfig, mustBeReadable } from './config-file.ts';
import type { Session } from './session.ts';
import { plainDomain } from './zone-commands.ts';

export interface ServiceOptions {
  record: string;
  check: string;
  standby: string[];
  signed?: string | undefined;
  ttl?: string | undefined;
  after?: string | undefined;
  max?: string | undefined;
  hold?: string | undefined;
}

/**
 * `peer service add NAME --record R --check URL --standby FRIEND=ADDRESS`. 65 where friends could not stand in for it, with
 * the reason, and nothing is changed.
 */
export async function addService(session: Session, name: string, options: ServiceOptions): Promise<void> {
  const { addService: add, relativeToConfig } = await import('@copain/agent');
  const { check, standby, ttl, after, max, hold } = options;
  const record = plainDomain(options.record);
  const file = options.signed === undefined ? undefined : resolve(session.world.cwd, options.signed);
  if (file !== undefined) await mustBeReadable(file);
  const notes = await judged(session, { record, standby, ...(file === undefined ? {} : { signed: file }) });
  const signed = file === undefined ? undefined : relativeToConfig(session.paths.configFile, file);
  const service = { name, record, check, standby, signed, ttl, after, max, hold };
  const applied = await changeConfig(session, (text) => add(text, service));
  for (const note of notes) session.say(`peer: ${note}`);
  const [first = ''] = standby;
  const who = visible(first.split('=')[0] ?? '');
  const done = `${who} stands in for ${name} (${record}) when friends agree that it is down`;
  session.answer('service.add', { name, record, applied, notes }, appliedText(done, applied));
}

/** What the agent says of it; where none runs, what is wrong shows when it starts. */
async function judged(
  session: Session,
  service: { record: string; standby: string[]; signed?: string },
): Promise<string[]> {
  try {
    const { notes } = (await session.ask('service.judge', service)) as { notes: string[] };
    return notes;
  } catch (error) {
    if (error instanceof CommandError && error.exit === ExitCode.unreachable) return [];
    throw error;
  }
}

/** `peer service remove NAME`. */
export async function removeService(session: Session, name: string): Promise<void> {
  const { removeService: remove } = await import('@copain/agent');
  const applied = await changeConfig(session, (text) => remove(text, name));
  const done =
    applied === 'unchanged' ? `peer.toml has no service ${name}` : `Nobody stands in for ${name} any more`;
  session.answer('service.remove', { name, applied }, appliedText(done, applied));
}

/** `peer service pin NAME up|down|obey`. */
export async function pinService(session: Session, name: string, pin: 'obey' | 'up' | 'down'): Promise<void> {
  const { pinService: set } = await import('@copain/agent');
  const applied = await changeConfig(session, (text) => set(text, { name, pin }));
  const done = {
    obey: `Friends decide about ${name}`,
    up: `${name} is answered from home, whatever friends see`,
    down: `${name} is answered from its standby, whatever friends see`,
  }[pin];
  session.answer('service.pin', { name, pin, applied }, appliedText(done, applied));
}

/** `peer service list`: one's own services and those of friends. */
export async function listServices(session: Session): Promise<void> {
  const { services } = (await session.ask('service.list')) as { services: StandbyService[] };
  const text =
    services.length === 0
      ? 'no services yet: peer service add NAME --record R --check URL --standby FRIEND=ADDRESS\n'
      : standbyTable(services, session.textOptions());
  session.answer('service.list', { services }, text);
}
