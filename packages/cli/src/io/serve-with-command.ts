import { CommandError, ExitCode, formatHostPort, parseHostPort } from '@copain/core';
import { type DnsServerKind, type ServeWith, serveWithText } from '../serve-with.ts';
import type { Session } from './session.ts';

/** `peer zone serve-with knot|nsd|bind|powerdns`: the lines that such a server needs to take its zones from this box. */
export async function serveWith(
  session: Session,
  kind: DnsServerKind,
  options: { peer?: string },
): Promise<void> {
  const { servers } = (await session.ask('zone.serve-with', {})) as { servers: ServeWith[] };
  const wanted = options.peer === undefined ? undefined : parseHostPort(options.peer);
  const facts =
    options.peer === undefined
      ? servers[0]
      : servers.find(({ peer }) => wanted && formatHostPort(peer) === formatHostPort(wanted));
  if (facts === undefined) throw missing(servers, options.peer);
  const text = serveWithText(kind, facts);
  session.answer('zone.serve-with', { server: kind, ...facts, config: text }, text);
}

function missing(servers: readonly ServeWith[], peer: string | undefined): CommandError {
  const listed = servers.map((server) => formatHostPort(server.peer)).join(', ');
  if (peer !== undefined && servers.length > 0)
    return new CommandError(ExitCode.badInput, `[dns] transfer does not list ${peer}`, {
      hint: `it lists: ${listed}`,
    });
  return new CommandError(ExitCode.configuration, 'no server may have our zones yet', {
    hint: 'make a key: tsig-keygen home > home.key; put under [dns] in peer.toml: transfer = [{ address = "127.0.0.1:5301", tsig-file = "home.key" }], with the address where that server listens; then restart peer',
  });
}
