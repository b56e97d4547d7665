import { checkTextMax } from './limits.ts';

/**
 * What a friend tries of a service. `host` is the name (or address) that the service is asked for; where it is dialled
 * is given apart, so that a name which was swapped to a standby is still tried at its owner's address.
 */
export type ServiceCheck =
  /** A connection is accepted (RFC 9293). */
  | { kind: 'tcp'; host: string; port: number }
  /** A greeting of code 220 by a server of one of these domains (RFC 5321 §4.3.1); none named: by any server. */
  | { kind: 'smtp'; host: string; port: number; greets: readonly string[] }
  /** An answer of status 200 to 399 to a GET (RFC 9110), with this text in its body where one is given. */
  | { kind: 'http'; secure: boolean; host: string; port: number; path: string; contains: string | undefined }
  /** An authoritative SOA with this serial (RFC 1034 §4.3.5). */
  | { kind: 'dns'; host: string; port: number; origin: string; serial: number; over: 'udp' | 'tcp' };

/** What came of trying. `unknown`: it says nothing about the service, since nothing was tried, or something else answered. */
export type ProbeResult =
  | { kind: 'up'; tookMs: number }
  | { kind: 'down'; why: string }
  | { kind: 'unknown'; why: string };

const defaultPorts: Record<string, number> = { http: 80, https: 443, smtp: 25 };

/**
 * Reads what an owner wrote: `https://www.alice.example/health#contains=ok`, `http://…`, `tcp://host:port`,
 * `smtp://host` with `:port` where it is not 25. Undefined where it is none of these, or longer than 300 characters.
 * The part after `#` is not sent (RFC 3986 §3.5), so it says what the body is to contain.
 */
export function parseCheck(text: string): ServiceCheck | undefined {
  if (text.length > checkTextMax) return undefined;
  const match =
    /^(https?|tcp|smtp):\/\/(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?(\/[!-"$-~]*)?(?:#contains=([ -~]*))?$/.exec(
      text,
    );
  if (match === null) return undefined;
  const [, scheme = '', v6, name, portText, path, contains] = match;
  const host = (v6 ?? name ?? '').toLowerCase();
  const port = portText === undefined ? defaultPorts[scheme] : Number(portText);
  if (port === undefined || port < 1 || port > 65_535) return undefined;
  const isHttp = scheme === 'http' || scheme === 'https';
  if (!isHttp && (path !== undefined || contains !== undefined)) return undefined;
  if (scheme === 'tcp') return { kind: 'tcp', host, port };
  if (scheme === 'smtp') return { kind: 'smtp', host, port, greets: [] };
  return { kind: 'http', secure: scheme === 'https', host, port, path: path ?? '/', contains };
}

/**
 * What the first line of an SMTP greeting says. A box between observer and server may answer 220 itself, so the server
 * must name itself as one of `greets` or a host below it; another name says nothing about the server that was meant.
 */
export function judgeGreeting(line: string, greets: readonly string[], tookMs: number): ProbeResult {
  const match = /^(\d{3})[ -]\s*(\S*)/.exec(line);
  if (match === null) return { kind: 'unknown', why: 'what answers there does not speak SMTP' };
  const [, code = '', said = ''] = match;
  if (code !== '220') return { kind: 'down', why: `it greets with ${code}` };
  const name = said.toLowerCase().replace(/\.$/, '');
  const isMeant =
    greets.length === 0 ||
    greets.some((one) => name === one.toLowerCase() || name.endsWith(`.${one.toLowerCase()}`));
  if (isMeant) return { kind: 'up', tookMs };
  return { kind: 'unknown', why: `another server answers there, ${name.slice(0, 80)}` };
}

/** What an HTTP answer says; `body` is as much of it as was read. */
export function judgeHttp(
  answer: { status: number; body: string },
  contains: string | undefined,
  tookMs: number,
): ProbeResult {
  if (answer.status < 200 || answer.status >= 400)
    return { kind: 'down', why: `it answers with status ${answer.status}` };
  if (contains !== undefined && !answer.body.includes(contains))
    return { kind: 'down', why: 'the text it is known by is not in its answer' };
  return { kind: 'up', tookMs };
}
