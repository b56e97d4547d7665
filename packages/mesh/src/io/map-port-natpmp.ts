import { createSocket } from 'node:dgram';
import type { HostPort } from '@copain/core';
import { mappingLifeS, mappingTries } from '../limits.ts';
import {
  decodeAnswer,
  encodeAddressRequest,
  encodeMapRequest,
  type NatPmpAnswer,
  type PortMapping,
} from '../port-mapping.ts';

/** RFC 6886 §3.1: where routers listen. */
export const natPmpPort = 5351;

/**
 * Asks the router to pass a TCP port on to this box; the answer may name another number outside. Undefined where it
 * refuses or says nothing.
 */
export async function mapPortByNatPmp(
  router: HostPort,
  internalPort: number,
  wishedPort: number,
  signal: AbortSignal,
): Promise<PortMapping | undefined> {
  const request = encodeMapRequest(internalPort, wishedPort, mappingLifeS);
  const mapped = await ask(router, request, isAbout(internalPort), signal);
  if (mapped?.kind !== 'mapped' || mapped.mapping.externalPort === 0) return undefined;
  const address = await ask(router, encodeAddressRequest(), ({ kind }) => kind === 'address', signal);
  return address?.kind === 'address' ? { ...mapped.mapping, externalHost: address.host } : mapped.mapping;
}

/** Takes the mapping of this port away again (RFC 6886 §3.4). */
export async function unmapPortByNatPmp(
  router: HostPort,
  internalPort: number,
  signal: AbortSignal,
): Promise<void> {
  await ask(router, encodeMapRequest(internalPort, 0, 0), isAbout(internalPort), signal);
}

const isAbout =
  (internalPort: number) =>
  (answer: NatPmpAnswer): boolean =>
    answer.kind === 'mapped' && answer.mapping.internalPort === internalPort;

/**
 * One question. Undefined where nothing that `fits` comes to several tries (RFC 6886 §3.1: after 250 ms, then doubled), or
 * a refusal. Only the router's own answers count.
 */
async function ask(
  router: HostPort,
  request: Uint8Array,
  fits: (answer: NatPmpAnswer) => boolean,
  signal: AbortSignal,
): Promise<NatPmpAnswer | undefined> {
  const socket = createSocket('udp4');
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<NatPmpAnswer | undefined>((resolve) => {
      let tries = 0;
      const send = (): void => {
        if (tries >= mappingTries || signal.aborted) {
          resolve(undefined);
          return;
        }
        timer = setTimeout(send, 250 * 2 ** tries);
        tries += 1;
        socket.send(request, router.port, router.host, (error) => {
          if (error !== null) resolve(undefined);
        });
      };
      // A router without NAT-PMP has its system say so at once, and is not waited for.
      socket.on('error', () => resolve(undefined));
      socket.on('message', (bytes, from) => {
        if (from.address !== router.host || from.port !== router.port) return;
        const answer = decodeAnswer(bytes);
        if (answer?.kind === 'refused') resolve(undefined);
        else if (answer !== undefined && fits(answer)) resolve(answer);
      });
      send();
    });
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}
