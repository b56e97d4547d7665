import { domainToASCII } from 'node:url';
import type { SMTPServer, SMTPServerSession } from 'smtp-server';
import type { ClientInfo } from '../client-info.ts';

/** A connection as smtp-server keeps it; its package has no name for it. */
export type Connection = SMTPServer['connections'] extends Set<infer T> ? T : never;

/** Whoever closes his side in the middle of a handshake has nothing to hear any more. */
export function endWithHandshake(connection: Connection): void {
  const upgrade = connection.upgrade.bind(connection);
  connection.upgrade = (...callbacks) => {
    connection._socket.allowHalfOpen = false;
    upgrade(...callbacks);
  };
}

/** Without a certificate of the operator's own the library would present its public one, so there is no STARTTLS then. */
export function startTls(offered: boolean): { disabledCommands: string[]; hideSTARTTLS: boolean } {
  const disabled = ['AUTH', 'XCLIENT', 'XFORWARD', 'WIZ', 'SHELL', 'KILL'];
  return { disabledCommands: offered ? disabled : [...disabled, 'STARTTLS'], hideSTARTTLS: !offered };
}

/** smtp-server shows domains as U-labels; what we compare, hash and pass on is the A-label form. */
export function asciiAddress(address: string): string {
  const at = address.lastIndexOf('@');
  const domain = address.slice(at + 1);
  if (at < 0 || domain.startsWith('[')) return address;
  return `${address.slice(0, at)}@${domainToASCII(domain) || domain}`;
}

/** Who the client of a session is, for the trace and for the owner's mail server. */
export function clientOf(session: SMTPServerSession): ClientInfo {
  return {
    ip: session.remoteAddress,
    port: session.remotePort,
    serverIp: session.localAddress,
    serverPort: session.localPort,
    helo: (session.hostNameAppearsAs || '').slice(0, 255),
    tls: session.secure,
    esmtp: session.openingCommand === 'EHLO',
  };
}
