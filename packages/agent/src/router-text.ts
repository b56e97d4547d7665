/** What a home router does with a port of this box, in a sentence; for the event and for `peer doctor net`. */
export function routerText(port: {
  internalPort: number;
  externalPort: number;
  way: string;
  externalHost: string | undefined;
  leadsNowhere: boolean;
}): string {
  const { internalPort, externalPort, way, externalHost, leadsNowhere } = port;
  const passes = `The router passes TCP port ${externalPort} on to port ${internalPort} of this box (${way})`;
  return leadsNowhere
    ? `${passes}, but its own address ${externalHost ?? ''} is private too: the provider shares one address among several customers.`
    : `${passes}.`;
}
