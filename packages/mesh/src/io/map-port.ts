import { createSocket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import type { HostPort } from '@copain/core';
import { mappingLifeS, mappingTries } from '../limits.ts';
import { decodeAnswer, encodeMapRequest, gatewayIn, type PortMapping } from '../port-mapping.ts';

/** RFC 6886 §3.1: where routers listen. */
const natPmpPort = 5351;

/** Where this machine's router is asked, or undefined where there is none (or this is not Linux). */
export async function natPmpRouter(): Promise<HostPort | undefined> {
  const routes = await readFile('/proc/net/route', 'latin1').catch(() => '');
  const host = gatewayIn(routes);
  return host === undefined ? undefined : { host, port: natPmpPort };
}

/**
 * Asks the router to pass a TCP port on to this box; the answer may name another outside. Undefined where it refuses or
 * says nothing to several tries (RFC 6886 §3.1: after 250 ms, then doubled). Only the router's own answers count.
 */
export async function mapPort(
  router: HostPort,
  port: number,
  signal: AbortSignal,
): Promise<PortMapping | undefined> {
  const socket = createSocket('udp4');
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<PortMapping | undefined>((resolve) => {
      const request = encodeMapRequest(port, port, mappingLifeS);
      let tries = 0;
      const ask = (): void => {
        if (tries >= mappingTries || signal.aborted) {
          resolve(undefined);
          return;
        }
        timer = setTimeout(ask, 250 * 2 ** tries);
        tries += 1;
        socket.send(request, router.port, router.host, (error) => {
          if (error !== null) resolve(undefined);
        });
      };
      socket.on('error', () => resolve(undefined));
      socket.on('message', (bytes, from) => {
        if (from.address !== router.host || from.port !== router.port) return;
        const answer = decodeAnswer(bytes);
        if (answer?.kind === 'refused') resolve(undefined);
        if (answer?.kind === 'mapped' && answer.mapping.internalPort === port) resolve(answer.mapping);
      });
      ask();
    });
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}
