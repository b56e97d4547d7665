import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from './box.ts';
import { eventually } from './eventually.ts';
import { runWell, within } from './run.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A throw-away Dovecot that takes mail by LMTP and stores it: the last station behind an owner's mail server. */
export interface Dovecot extends AsyncDisposable {
  readonly address: Address;
  log(): string;
}

/** Starts Dovecot; each user's mail becomes a Maildir `<mail>/<user>`, which belongs to the user postfix. Needs root. */
export async function startDovecot(options: {
  address: Address;
  namespace: string | undefined;
  mail: string;
}): Promise<Dovecot> {
  const { address, namespace, mail } = options;
  const folder = temporaryFolder('dovecot');
  const base = folder.path;
  for (const part of ['run', 'state']) mkdirSync(join(base, part), { mode: 0o755 });
  const [uid, gid] = (await runWell(['sh', '-c', 'id -u postfix; id -g postfix'])).trim().split('\n');
  writeFileSync(
    join(base, 'dovecot.conf'),
    `
base_dir = ${base}/run
state_dir = ${base}/state
log_path = ${base}/log
protocols = lmtp
ssl = no
first_valid_uid = 1
service lmtp {
  inet_listener lmtp {
    address = ${address.host}
    port = ${address.port}
  }
}
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=${uid} gid=${gid} home=${mail}/%n mail=maildir:${mail}/%n
}
`,
  );
  writeFileSync(join(base, 'log'), '');
  const [program, args] = within(namespace, ['dovecot', '-F', '-c', join(base, 'dovecot.conf')]);
  const child = spawn(program, args, { stdio: 'ignore' });
  const log = (): string => readFileSync(join(base, 'log'), 'utf8');
  await eventually('dovecot is up', () => log().includes('starting up for lmtp'));
  return {
    address,
    log,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await folder[Symbol.asyncDispose]();
    },
  };
}
