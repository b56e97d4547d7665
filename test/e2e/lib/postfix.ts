import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Address } from './box.ts';
import { eventually } from './eventually.ts';
import { run, runWell } from './run.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A throw-away Postfix: configuration, queue, log and mailboxes in one folder; no systemd, no syslog. */
export interface Postfix extends AsyncDisposable {
  readonly address: Address;
  /** Where its mailboxes are. */
  readonly mailFolder: string;
  /** The messages delivered to a mailbox, as they were stored (LF line ends). */
  mailbox(user: string): Buffer[];
  /** How many messages to this address wait in its queues. */
  queuedFor(recipient: string): Promise<number>;
  /** How many messages it keeps in all. */
  queued(): number;
  /** Drops all that it keeps. */
  purge(): Promise<void>;
  /** Of its master process; 0 while it is stopped. */
  pid(): number;
  /** What its queues hold, headers and bodies, for what it writes by itself. */
  queueText(): Promise<string>;
  /** Hands it a message as a program on its machine does; `notify` and `envid` ask for delivery reports (RFC 3461). */
  sendmail(options: {
    from: string;
    to: string;
    message: string;
    notify: string;
    envid: string;
  }): Promise<void>;
  log(): string;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface PostfixOptions {
  name: string;
  address: Address;
  namespace?: string | undefined;
  /** What it calls itself; default: its name in `test`. */
  hostname?: string;
  /** An owner's server: takes mail for these addresses of one domain, and 550 for all others. */
  owner?: {
    domain: string;
    users: readonly string[];
    proxyProtocol?: boolean;
    tls?: { certFile: string; keyFile: string };
    /** Has what it takes stored by an LMTP server there, instead of by itself. */
    lmtp?: Address;
  };
  /** An outside sender: relays everything it is given by MX, asking the name servers of its network namespace. */
  sender?: boolean;
  /** A backup MX as Debian sets it up: takes every address of this domain, and brings its mail to `primary`. */
  backup?: { domain: string; primary: Address };
  /** Variables that its daemons get. */
  env?: Readonly<Record<string, string>>;
}

const services = `
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
`;

/** Starts a Postfix and waits until it answers. Needs root, as Postfix's master does. */
export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  const folder = temporaryFolder(`postfix-${options.name}`);
  const base = folder.path;
  const [uid = 0, gid = 0] = (await runWell(['sh', '-c', 'id -u postfix; id -g postfix']))
    .split('\n')
    .map(Number);
  for (const part of ['etc', 'spool', 'lib', 'log', 'mail']) {
    mkdirSync(join(base, part));
    chmodSync(join(base, part), 0o755);
  }
  for (const part of ['lib', 'mail']) chownSync(join(base, part), uid, gid);
  // Postfix's own tools write here as the user postfix.
  writeFileSync(join(base, 'log/maillog'), '');
  chownSync(join(base, 'log/maillog'), uid, gid);
  writeFileSync(join(base, 'etc/main.cf'), mainConfiguration(options, base, { uid, gid }));
  const { host, port } = options.address;
  writeFileSync(join(base, 'etc/master.cf'), `${host}:${port} inet n - n - - smtpd${services}`);
  const { owner } = options;
  if (owner) {
    const lines = owner.users.map((user) => `${user}@${owner.domain} ${user}/\n`);
    writeFileSync(join(base, 'etc/mailboxes'), lines.join(''));
  }

  const control = (verb: string) =>
    run(['postfix', '-c', join(base, 'etc'), verb], { namespace: options.namespace, limitMs: 60_000 });
  const log = (): string => readFileSync(join(base, 'log/maillog'), 'utf8');
  let running = false;

  async function start(): Promise<void> {
    const ran = await control('start');
    if (ran.code !== 0) throw new Error(`postfix ${options.name} did not start: ${ran.stderr}\n${log()}`);
    running = true;
    // In a namespace its address cannot be reached from here; the log tells as well.
    await eventually(`postfix ${options.name} is up`, () =>
      options.namespace === undefined ? answers(options.address) : log().includes('daemon started'),
    );
  }

  async function stop(): Promise<void> {
    if (!running) return;
    running = false;
    await control('stop');
  }

  await start();
  return {
    address: options.address,
    mailFolder: join(base, 'mail'),
    mailbox: (user) => {
      const inbox = join(base, 'mail', user, 'new');
      try {
        return readdirSync(inbox).map((file) => readFileSync(join(inbox, file)));
      } catch {
        // Postfix makes the mailbox with its first message.
        return [];
      }
    },
    queuedFor: async (recipient) => {
      const listed = await runWell(['postqueue', '-c', join(base, 'etc'), '-j']);
      return listed.split('\n').filter((line) => line.includes(`"address": "${recipient}"`)).length;
    },
    queued: () =>
      ['maildrop', 'incoming', 'active', 'deferred'].reduce(
        (sum, queue) => sum + countFiles(join(base, 'spool', queue)),
        0,
      ),
    purge: async () => {
      await runWell(['postsuper', '-c', join(base, 'etc'), '-d', 'ALL']);
    },
    pid: () => {
      try {
        return Number(readFileSync(join(base, 'spool/pid/master.pid'), 'utf8'));
      } catch {
        return 0;
      }
    },
    queueText: async () => {
      const listed = await runWell(['postqueue', '-c', join(base, 'etc'), '-j']);
      const ids = [...listed.matchAll(/"queue_id": "(\w+)"/g)].map(([, id = '']) => id);
      const texts = ids.map(async (id) => (await run(['postcat', '-c', join(base, 'etc'), '-q', id])).stdout);
      return (await Promise.all(texts)).join('\n');
    },
    sendmail: async ({ from, to, message, notify, envid }) => {
      const wishes = ['-N', notify, '-V', envid];
      await runWell(['sendmail', '-C', join(base, 'etc'), '-i', ...wishes, '-f', from, to], {
        namespace: options.namespace,
        stdin: message,
      });
    },
    log,
    stop,
    start,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function mainConfiguration(
  options: PostfixOptions,
  base: string,
  user: { uid: number; gid: number },
): string {
  const { owner, sender, backup, env = {} } = options;
  // master.cf alone says where it listens: Postfix would refuse 127.x.y.z as an interface that does not exist.
  const common = `
compatibility_level = 3.6
multi_instance_enable = yes
multi_instance_name = postfix-${options.name}
queue_directory = ${base}/spool
data_directory = ${base}/lib
maillog_file = ${base}/log/maillog
maillog_file_prefixes = ${base}
syslog_name = postfix-${options.name}
myhostname = ${options.hostname ?? `${options.name}.test`}
mydomain = test
mydestination =
local_recipient_maps =
local_transport = error:no local mail
alias_maps =
alias_database =
inet_interfaces = all
inet_protocols = ipv4
smtpd_peername_lookup = no
biff = no
smtp_tls_security_level = none
`;
  const taking = owner
    ? `
mynetworks = 127.0.0.99/32
virtual_mailbox_domains = ${owner.domain}
virtual_mailbox_base = ${base}/mail
virtual_mailbox_maps = texthash:${base}/etc/mailboxes
virtual_minimum_uid = 1
virtual_uid_maps = static:${user.uid}
virtual_gid_maps = static:${user.gid}
smtpd_recipient_restrictions = reject_unauth_destination
default_transport = retry:what this server writes stays in its queue
${owner.lmtp ? `virtual_transport = lmtp:inet:${owner.lmtp.host}:${owner.lmtp.port}` : ''}
${owner.proxyProtocol ? 'smtpd_upstream_proxy_protocol = haproxy' : ''}
${owner.tls ? `smtpd_tls_security_level = may\nsmtpd_tls_cert_file = ${owner.tls.certFile}\nsmtpd_tls_key_file = ${owner.tls.keyFile}\nsmtpd_tls_loglevel = 1` : ''}
`
    : '';
  // Retries come quickly, so that a first attempt that met a deferral is no long wait.
  const sending = sender
    ? `
mynetworks = 0.0.0.0/0
smtp_bind_address = ${options.address.host}
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
`
    : '';
  const relaying = backup
    ? `
mynetworks = 127.0.0.99/32
relay_domains = ${backup.domain}
relay_recipient_maps =
transport_maps = inline:{ ${backup.domain}=relay:[${backup.primary.host}]:${backup.primary.port} }
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtp_host_lookup = native
smtp_dns_support_level = disabled
disable_dns_lookups = yes
`
    : '';
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const inherited = 'MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME';
  const imported = variables.length > 0 ? `import_environment = ${inherited} ${variables.join(' ')}\n` : '';
  return `${common}${taking}${sending}${relaying}${imported}`;
}

/** Files below a folder; one that goes meanwhile may be counted or not. */
function countFiles(folder: string): number {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).length;
  } catch {
    // A queue that was never used has no folder, and one of its folders may go while it is looked at.
    return 0;
  }
}

/** Does something accept connections there? */
function answers({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
