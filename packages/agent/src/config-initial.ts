import { isPrivate, parseHostPort } from '@copain/core';

/**
 * The text of a first `peer.toml`, with short comments. The lists are "host:port" texts that the caller has checked;
 * an empty one means that the box does not do this. Private and loopback addresses are dialled when the mesh listens
 * on one itself: then the friends are on the same machine or network.
 */
export function initialConfig(options: {
  name: string;
  meshListen: readonly string[];
  dnsListen: readonly string[];
  smtpListen: readonly string[];
  httpListen: readonly string[];
}): string {
  const list = (addresses: readonly string[]): string =>
    `[${addresses.map((address) => JSON.stringify(address)).join(', ')}]`;
  const isLocal = options.meshListen.some((address) => {
    const host = parseHostPort(address)?.host;
    return host !== undefined && host !== '0.0.0.0' && host !== '::' && isPrivate(host);
  });
  return `# What this box does. Friends, keys and zones' contents live in the state directory, not here.
# After a change: peer config check && peer reload

name = ${JSON.stringify(options.name)}

[mesh]
listen = ${list(options.meshListen)}   # where friends reach me (TCP)
# announce = ["home.example:4853"]   # further addresses at which friends may dial me
allow-private = ${String(isLocal)}   # dial private and loopback addresses too

[dns]
listen = ${list(options.dnsListen)}   # UDP and TCP; [] = I answer no queries

[smtp]
listen = ${list(options.smtpListen)}   # other people's mail servers talk to this; [] = I take no mail for friends
# hostname = "mx.example"   # greeting; default: the name of the machine

[http]
listen = ${list(options.httpListen)}   # status page, /status.json, /metrics

[line]
${isLocal ? 'check = ""   # ask nobody outside whether my line works; a box on the internet may ask "9.9.9.9:53"' : '# check = "9.9.9.9:53"   # asked when I hear nobody, to tell a cut line of mine apart; "" = ask nobody'}

# Next:  peer invite NAME          peer zone add ORIGIN --file FILE
#        peer mail add DOMAIN --deliver 127.0.0.1:2525
`;
}
