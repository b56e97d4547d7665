import { readFile } from 'node:fs/promises';
import { gatewayIn, type MappingWay, type PortMapping } from '../port-mapping.ts';
import { findIgd, mapPortByIgd, unmapPortByIgd } from './map-port-igd.ts';
import { mapPortByNatPmp, natPmpPort, unmapPortByNatPmp } from './map-port-natpmp.ts';

/** A port that the router passes on to this box, and how it is taken away again. */
export interface MappedPort extends PortMapping {
  way: MappingWay;
  unmap(signal: AbortSignal): Promise<void>;
}

/** This machine's router, or undefined where there is none (or this is not Linux). */
export async function defaultRouter(): Promise<string | undefined> {
  const routes = await readFile('/proc/net/route', 'latin1').catch(() => '');
  return gatewayIn(routes);
}

/**
 * Has the router pass a TCP port on to this box: by NAT-PMP, which is one datagram, else by UPnP. `wishedPort`: the number
 * outside, by preference that which it had before. Undefined where the router offers neither or refuses.
 */
export async function mapPort(
  router: string,
  port: { internal: number; wished: number },
  signal: AbortSignal,
  ports: { natPmp: number; ssdp?: number } = { natPmp: natPmpPort },
): Promise<MappedPort | undefined> {
  const at = { host: router, port: ports.natPmp };
  const byNatPmp = await mapPortByNatPmp(at, port.internal, port.wished, signal);
  if (byNatPmp !== undefined) {
    const unmap = (until: AbortSignal): Promise<void> => unmapPortByNatPmp(at, port.internal, until);
    return { ...byNatPmp, way: 'NAT-PMP', unmap };
  }
  const igd = await findIgd(router, signal, ports.ssdp);
  const byIgd = igd && (await mapPortByIgd(igd, port.internal, port.wished, signal));
  if (igd === undefined || byIgd === undefined) return undefined;
  const unmap = (until: AbortSignal): Promise<void> => unmapPortByIgd(igd, byIgd.externalPort, until);
  return { ...byIgd, way: 'UPnP', unmap };
}
