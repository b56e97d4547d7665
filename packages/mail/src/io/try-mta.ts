import { formatHostPort, type HostPort } from '@copain/core';
import type { ClientForm } from '../mail-domain.ts';
import { clientOfThisBox, openMta } from './smtp-client.ts';

/**
 * Greets the owner's own MTA as deliveries do, its PROXY header or XCLIENT included, and leaves; why it does not answer,
 * or undefined where it does. Never rejects. The client that the MTA is told of is this box itself.
 */
export async function tryMta(options: {
  address: HostPort;
  form: ClientForm;
  hostname: string;
}): Promise<string | undefined> {
  const { address, form, hostname } = options;
  const client = clientOfThisBox(address, hostname);
  try {
    const mta = await openMta({ address, form, client, hostname });
    mta.quit();
    return undefined;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return `${formatHostPort(address)}: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}
