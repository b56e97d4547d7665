import type { Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { CommandError, ExitCode, formatHostPort, type HostPort } from '@copain/core';
import type { Asker } from '../answer.ts';
import { rescanMs } from '../limits.ts';
import type { MessageSource } from '../transfer-stream.ts';
import type { UdpThreads } from './answer-pool.ts';
import { startTcpConnections, type TcpConnections, type TcpLimits } from './tcp-connections.ts';
import { answerDatagrams, openUdp } from './udp-answering.ts';

/** Facts for logs. Callbacks must not throw and should be quick: `dropped` may come once a query. */
export interface DnsServerEvents {
  /** A message to which no answer may be given, or a TCP connection closed for one of its limits. */
  dropped?(fact: {
    transport: 'udp' | 'tcp';
    remote: HostPort;
    why: 'no-answer' | 'idle' | 'slow' | 'too-many';
  }): void;
  listening?(fact: { address: HostPort }): void;
  /** A local address of a wildcard that vanished or could not be had; it is tried again at each rescan. */
  notListening?(fact: { address: HostPort; cause: unknown }): void;
  /** The answer function threw, or a socket failed. The query is dropped; serving goes on. */
  failed?(fact: { cause: unknown }): void;
}

export interface DnsServerOptions {
  /** Addresses for UDP and TCP both. A wildcard means one socket for each local address, now and later. */
  listen: readonly HostPort[];
  /**
   * Called for each query; undefined means no answer. The asker is only valid during the call. Several messages go over
   * TCP alone.
   */
  answer: (query: Uint8Array, asker: Asker) => Uint8Array | MessageSource | undefined;
  events?: DnsServerEvents;
  /** Further threads that answer over UDP at the same addresses. */
  threads?: UdpThreads | undefined;
  /** Tests shorten these; see limits.ts for the real ones. */
  limits?: Partial<TcpLimits> & { rescanMs?: number };
}

export interface DnsServer extends AsyncDisposable {
  /** The addresses served now, with their real ports. */
  addresses(): HostPort[];
}

interface Endpoint {
  address: HostPort;
  udp: UdpSocket;
  tcp: Server;
}

/**
 * Starts to answer over UDP and TCP on each address. Rejects with a CommandError that names the address and what to do
 * where an address cannot be had; of a wildcard, one local address is enough.
 */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const server = new RunningServer(options);
  try {
    await server.open();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

/** How often another free port is tried where port 0 was asked for. */
const freePortTries = 10;

const wildcards: ReadonlyMap<string, 'IPv4' | 'IPv6'> = new Map([
  ['0.0.0.0', 'IPv4'],
  ['::', 'IPv6'],
]);

/** Answers come from the address that was asked, which Node's sockets only give when bound to one address each. */
function localAddresses(family: 'IPv4' | 'IPv6'): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => address.family === family && !address.address.toLowerCase().startsWith('fe80:'))
    .map(({ address }) => address);
}

class RunningServer implements DnsServer {
  readonly #options: DnsServerOptions;
  readonly #events: DnsServerEvents;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #connections: TcpConnections;
  #timer: NodeJS.Timeout | undefined;
  #rescan: Promise<void> = Promise.resolve();
  #disposed = false;

  constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#events = options.events ?? {};
    options.threads?.onForMain((...asked) => this.#answerForThread(...asked));
    this.#connections = startTcpConnections({
      answer: (query, remote) =>
        this.#answer(query, { transport: 'tcp', address: remote.host, nowMs: Date.now() }),
      dropped: (remote, why) => this.#events.dropped?.({ transport: 'tcp', remote, why }),
      failed: (cause) => this.#events.failed?.({ cause }),
      limits: options.limits ?? {},
    });
  }

  addresses(): HostPort[] {
    return [...this.#endpoints.values()].map(({ address }) => address);
  }

  async open(): Promise<void> {
    for (const address of this.#options.listen) {
      const family = wildcards.get(address.host);
      if (family) await this.#openWildcard(address, family);
      else await this.#openOne(address, formatHostPort(address));
    }
    if (!this.#options.listen.some(({ host }) => wildcards.has(host))) return;
    this.#timer = setInterval(() => {
      this.#rescan = this.#rescan.then(() => this.#rescanNow());
    }, this.#options.limits?.rescanMs ?? rescanMs);
    this.#timer.unref();
  }

  async #openWildcard(wildcard: HostPort, family: 'IPv4' | 'IPv6'): Promise<void> {
    const hosts = localAddresses(family);
    const causes: unknown[] = [];
    for (const host of hosts) {
      await this.#openOne({ host, port: wildcard.port }, wildcardId(host, wildcard.port)).catch(
        (cause: unknown) => {
          causes.push(cause);
          this.#events.notListening?.({ address: { host, port: wildcard.port }, cause });
        },
      );
    }
    if (causes.length > 0 && causes.length === hosts.length) throw causes[0];
  }

  async #close(endpoint: Endpoint): Promise<void> {
    this.#options.threads?.close(formatHostPort(endpoint.address));
    await closeEndpoint(endpoint);
  }

  async #rescanNow(): Promise<void> {
    for (const wildcard of this.#options.listen) {
      const family = wildcards.get(wildcard.host);
      if (!family || this.#disposed) continue;
      const hosts = new Set(localAddresses(family));
      for (const host of hosts) {
        const id = wildcardId(host, wildcard.port);
        if (this.#endpoints.has(id)) continue;
        await this.#openOne({ host, port: wildcard.port }, id).catch((cause: unknown) => {
          this.#events.notListening?.({ address: { host, port: wildcard.port }, cause });
        });
      }
      for (const [id, endpoint] of this.#endpoints) {
        const { host } = endpoint.address;
        if (id !== wildcardId(host, wildcard.port) || hosts.has(host)) continue;
        if (family !== (host.includes(':') ? 'IPv6' : 'IPv4')) continue;
        this.#endpoints.delete(id);
        await this.#close(endpoint);
        this.#events.notListening?.({ address: endpoint.address, cause: 'the address is gone' });
      }
    }
  }

  async #openOne(wanted: HostPort, id: string): Promise<void> {
    if (this.#endpoints.has(id)) return;
    let endpoint = await this.#bind(wanted);
    // UDP and TCP share one port; a free one for the first may be taken for the second.
    for (let left = freePortTries; wanted.port === 0 && isTaken(endpoint) && left > 0; left--) {
      endpoint = await this.#bind(wanted);
    }
    if ('cause' in endpoint) throw listenError(wanted, endpoint.cause);
    this.#endpoints.set(id, endpoint);
    this.#events.listening?.({ address: endpoint.address });
  }

  async #bind(wanted: HostPort): Promise<Endpoint | { cause: unknown }> {
    const { threads } = this.#options;
    let udp: UdpSocket | undefined;
    const tcp = createServer({ noDelay: true }, (socket: Socket) => this.#connections.accept(socket));
    try {
      udp = await openUdp(wanted, threads !== undefined);
      const address = { host: wanted.host, port: udp.address().port };
      await listenTcp(tcp, address);
      this.#answerUdp(udp);
      udp.on('error', (cause) => this.#events.failed?.({ cause }));
      tcp.on('error', (cause) => this.#events.failed?.({ cause }));
      await threads?.open(formatHostPort(address), address);
      return { address, udp, tcp };
    } catch (cause) {
      await closeEndpoint({ udp, tcp });
      return { cause };
    }
  }

  #answer(query: Uint8Array, asker: Asker): Uint8Array | MessageSource | undefined {
    try {
      return this.#options.answer(query, asker);
    } catch (cause) {
      // One odd query must not take the server down with it.
      this.#events.failed?.({ cause });
      return undefined;
    }
  }

  #answerUdp(udp: UdpSocket): void {
    answerDatagrams(udp, (query, asker, port) => {
      const answer = this.#answer(query, asker);
      if (answer instanceof Uint8Array) return answer;
      const remote = { host: asker.address, port };
      this.#events.dropped?.({ transport: 'udp', remote, why: 'no-answer' });
      return undefined;
    });
  }

  /** What another thread was asked and cannot answer: answered from the same address. */
  #answerForThread(endpoint: string, query: Uint8Array, address: string, port: number): void {
    const own = [...this.#endpoints.values()].find((one) => formatHostPort(one.address) === endpoint);
    const answer = own && this.#answer(query, { transport: 'udp', address, nowMs: Date.now() });
    if (answer instanceof Uint8Array) own?.udp.send(answer, port, address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    clearInterval(this.#timer);
    await this.#rescan;
    const closing = [...this.#endpoints.values()].map((endpoint) => this.#close(endpoint));
    this.#endpoints.clear();
    // Only now, so that no connection comes in behind; the servers' close waits for the last of them.
    this.#connections.close();
    await Promise.all(closing);
  }
}

/** Apart from explicitly listed addresses, so that a rescan never closes those. */
function wildcardId(host: string, port: number): string {
  return `* ${host} ${port}`;
}

function listenTcp(tcp: Server, { host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    tcp.once('error', reject);
    tcp.listen({ host, port, ipv6Only: host.includes(':') }, () => {
      tcp.off('error', reject);
      resolve();
    });
  });
}

async function closeEndpoint({ udp, tcp }: { udp: UdpSocket | undefined; tcp: Server }): Promise<void> {
  const closed = new Promise<void>((resolve) => tcp.close(() => resolve()));
  await Promise.all([closed, new Promise<void>((resolve) => (udp ? udp.close(() => resolve()) : resolve()))]);
}

function errorCode(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}

function isTaken(endpoint: Endpoint | { cause: unknown }): boolean {
  return 'cause' in endpoint && errorCode(endpoint.cause) === 'EADDRINUSE';
}

function listenError(address: HostPort, cause: unknown): CommandError {
  const at = formatHostPort(address);
  switch (errorCode(cause)) {
    case 'EADDRINUSE':
      return new CommandError(ExitCode.configuration, `${at}: another program already answers DNS there`, {
        hint: `find it with: ss -lnptu 'sport = :${address.port}'; then stop it, or choose another [dns] listen`,
        cause,
      });
    case 'EACCES':
      return new CommandError(
        ExitCode.permission,
        `${at}: ports below 1024 need a permission that this process lacks`,
        {
          hint: 'run as root, or give AmbientCapabilities=CAP_NET_BIND_SERVICE to the service',
          cause,
        },
      );
    case 'EADDRNOTAVAIL':
      return new CommandError(ExitCode.configuration, `${at}: this machine has no such address`, {
        hint: 'list its addresses with: ip address; then correct [dns] listen',
        cause,
      });
    default:
      return new CommandError(
        ExitCode.configuration,
        `${at}: cannot listen: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
  }
}
