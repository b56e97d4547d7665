import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CommandError,
  ExitCode,
  formatHostPort,
  type HostPort,
  isLoopback,
  parseHostPort,
  visibleJson,
} from '@copain/core';
import { renderPage, type StatusDocument } from '@copain/status';
import { statusHttpLimits } from '../serving-limits.ts';

/** What the agent may want to log. */
export interface StatusHttpEvents {
  /** A source of facts threw: our bug, the client got 500. With an empty path: accepting a connection failed. */
  requestFailed(fields: { path: string; error: unknown }): void;
}

/** What the server shows; every function is asked anew for each request. */
export interface StatusHttpOptions {
  listen: readonly HostPort[];
  status(): StatusDocument;
  metrics(): string;
  ready(): boolean;
  /** When set, everything but `/healthz` needs it: as a Bearer token, as `?token=`, or in the cookie that sets. */
  token?: string | undefined;
  events: StatusHttpEvents;
}

/** A running status server. */
export interface StatusHttp extends AsyncDisposable {
  /** Where it listens, with the ports that were chosen for port 0. */
  addresses: readonly HostPort[];
}

const cookieName = 'copain-token';

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Compares in a time that says nothing about how much of the token was right. */
function isToken(given: string | null | undefined, token: string): boolean {
  return typeof given === 'string' && timingSafeEqual(sha256(given), sha256(token));
}

function hasAccess(request: IncomingMessage, url: URL, token: string): boolean {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const cookies = (request.headers.cookie ?? '').split(/; */);
  const cookie = cookies.find((part) => part.startsWith(`${cookieName}=`))?.slice(cookieName.length + 1);
  return [bearer, url.searchParams.get('token'), cookie && decodeCookie(cookie)].some((given) =>
    isToken(given, token),
  );
}

function decodeCookie(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

/**
 * May a request name this host? Without a token, only loopback and the address that it really came to: a name from
 * elsewhere is a stranger's page that had its own name point here (DNS rebinding). With one, the token protects.
 */
function isOwnHost(request: IncomingMessage, listen: HostPort, token: string | undefined): boolean {
  const written = request.headers.host;
  if (written === undefined) return false;
  const host = (parseHostPort(written)?.host ?? written.replace(/^\[(.*)\]$/, '$1')).toLowerCase();
  if (isLoopback(host) || host === listen.host || host === request.socket.localAddress) return true;
  return token !== undefined;
}

const securityHeaders = {
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

interface Answer {
  code: number;
  type: string;
  body: string;
  headers?: Record<string, string>;
}

const plain = (code: number, body: string, headers: Record<string, string> = {}): Answer => ({
  code,
  type: 'text/plain; charset=utf-8',
  body: `${body}\n`,
  headers,
});

function page(status: StatusDocument): Answer {
  const nonce = randomBytes(16).toString('base64');
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return {
    code: 200,
    type: 'text/html; charset=utf-8',
    body: renderPage(status, { nonce, refreshMs: statusHttpLimits.refreshMs }),
    headers: { 'content-security-policy': policy },
  };
}

function answer(request: IncomingMessage, listen: HostPort, options: StatusHttpOptions): Answer {
  const { token } = options;
  if (!isOwnHost(request, listen, token)) return plain(421, 'this server is not known by that name');
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return plain(405, 'only GET and HEAD', { allow: 'GET, HEAD' });
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (!url) return plain(400, 'bad request');
  if (url.pathname === '/healthz') return options.ready() ? plain(200, 'ok') : plain(503, 'starting');
  if (token !== undefined && !hasAccess(request, url, token))
    return plain(401, 'a token is needed: Authorization: Bearer TOKEN, or ?token=TOKEN', {
      'www-authenticate': 'Bearer',
    });
  const remember: Record<string, string> =
    token !== undefined && url.searchParams.has('token')
      ? { 'set-cookie': `${cookieName}=${encodeURIComponent(token)}; HttpOnly; SameSite=Strict; Path=/` }
      : {};
  switch (url.pathname) {
    case '/': {
      const shown = page(options.status());
      return { ...shown, headers: { ...shown.headers, ...remember } };
    }
    case '/status.json':
      return {
        code: 200,
        type: 'application/json',
        body: `${visibleJson(JSON.stringify(options.status(), null, 2))}\n`,
      };
    case '/metrics':
      return { code: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: options.metrics() };
    default:
      return plain(404, 'there is /, /status.json, /metrics and /healthz');
  }
}

function respond(response: ServerResponse, { code, type, body, headers }: Answer): void {
  const length = Buffer.byteLength(body);
  response.writeHead(code, {
    ...securityHeaders,
    'content-type': type,
    'content-length': length,
    ...headers,
  });
  // For HEAD, node leaves the body out by itself (RFC 9110 §9.3.2).
  response.end(body);
}

async function listenOn(listen: HostPort, options: StatusHttpOptions): Promise<Server> {
  const server = createServer(
    {
      maxHeaderSize: statusHttpLimits.headerBytes,
      headersTimeout: statusHttpLimits.requestMs,
      requestTimeout: statusHttpLimits.requestMs,
      keepAliveTimeout: statusHttpLimits.keepAliveMs,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => {
      try {
        respond(response, answer(request, listen, options));
      } catch (error) {
        // Without the query, which may hold the token.
        options.events.requestFailed({ path: (request.url ?? '').split('?')[0] ?? '', error });
        respond(response, plain(500, 'the agent failed; its log says more'));
      }
    },
  );
  server.maxConnections = statusHttpLimits.connections;
  server.on('error', (error) => {
    if (server.listening) options.events.requestFailed({ path: '', error });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const where = formatHostPort(listen);
      reject(
        new CommandError(
          cause.code === 'EACCES' ? ExitCode.permission : ExitCode.configuration,
          `cannot listen on ${where} (http.listen): ${cause.code ?? cause.message}`,
          {
            cause,
            hint: 'another program may have the port: choose another in [http] listen',
          },
        ),
      );
    });
    server.listen({ host: listen.host, port: listen.port }, resolve);
  });
  return server;
}

/**
 * Serves the status page, `/status.json`, `/metrics` and `/healthz` on every address of `listen`. GET and HEAD only;
 * hosts that are not this one get 421 (RFC 9110 §15.5.20). Throws CommandError (78, or 77 for a port that is not ours to have) where an address cannot be had,
 * with nothing left listening.
 */
export async function startStatusHttp(options: StatusHttpOptions): Promise<StatusHttp> {
  const servers: Server[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(
      servers.splice(0).map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeAllConnections();
          }),
      ),
    );
  };
  try {
    for (const listen of options.listen) servers.push(await listenOn(listen, options));
  } catch (error) {
    await stop();
    throw error;
  }
  const addresses = servers.map((server) => {
    const { address, port } = server.address() as AddressInfo;
    return { host: address, port };
  });
  return { addresses, [Symbol.asyncDispose]: stop };
}
