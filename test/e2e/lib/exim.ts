import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackedPeers } from './programs.ts';
import { run } from './run.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A throw-away Exim that sends to the world: it follows MX records by itself. */
export interface Exim extends AsyncDisposable {
  /** Hands it a message and has it try at once; resolves when it has delivered, deferred or given up. */
  send(options: { from: string; to: readonly string[]; message: string }): Promise<void>;
  /** Tries everything that waits, whatever its time. */
  runQueue(): Promise<void>;
  log(): string;
}

/** User and group of its own; nobody's on the machine itself. */
const account = 64_999;

/**
 * Exim is only unpacked, since it cannot be installed beside Postfix; it insists on a user of its own, who exists in its
 * namespace alone. Needs root.
 */
export function startExim({ name, namespace }: { name: string; namespace: string }): Exim {
  const folder = temporaryFolder('exim');
  const base = folder.path;
  const program = join(unpackedPeers, 'usr/sbin/exim4');
  mkdirSync(join(base, 'spool/log'), { recursive: true });
  for (const part of ['spool', 'spool/log']) chownSync(join(base, part), account, account);
  writeFileSync(
    join(base, 'exim.conf'),
    `
spool_directory = ${base}/spool
log_file_path = ${base}/spool/log/%s
exim_path = ${program}
exim_user = Debian-exim
exim_group = Debian-exim
trusted_users = root
keep_environment =
primary_hostname = ${name}
tls_advertise_hosts =
disable_ipv6 = true
begin routers
mx:
  driver = dnslookup
  transport = remote
  no_more
begin transports
remote:
  driver = smtp
begin retry
* * F,1h,1s
`,
  );
  // Files of this folder lie over those of /etc for whatever is started in the namespace.
  const etc = `/etc/netns/${namespace}`;
  mkdirSync(etc, { recursive: true });
  const accounts = ['passwd', 'group'].map((file) => {
    const more =
      file === 'passwd'
        ? `Debian-exim:x:${account}:${account}::/:/usr/sbin/nologin`
        : `Debian-exim:x:${account}:`;
    writeFileSync(join(etc, file), `${readFileSync(`/etc/${file}`, 'utf8')}${more}\n`);
    return join(etc, file);
  });
  const exim = async (args: readonly string[], stdin = ''): Promise<void> => {
    const ran = await run([program, '-C', join(base, 'exim.conf'), ...args], {
      namespace,
      stdin,
      limitMs: 60_000,
    });
    if (ran.code !== 0) throw new Error(`exim ${args.join(' ')}: exit ${ran.code}\n${ran.stderr}`);
  };
  return {
    send: async ({ from, to, message }) => await exim(['-odf', '-oi', '-f', from, ...to], message),
    runQueue: async () => await exim(['-qff']),
    log: () => readFileSync(join(base, 'spool/log/main'), 'utf8'),
    [Symbol.asyncDispose]: async () => {
      for (const file of accounts) rmSync(file, { force: true });
      await folder[Symbol.asyncDispose]();
    },
  };
}
