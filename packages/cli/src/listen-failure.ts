/** An address that the agent could not listen on, and the system's word for why. */
export interface ListenFailure {
  address: string;
  code: string;
}

/** The system's word for why an address cannot be listened on, in ours. */
export const listenReasons: Record<string, string> = {
  EADDRINUSE: 'another program has it',
  EACCES: 'ports below 1024 need root or CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this machine does not have the address',
};

/** Finds in the message of any library what Node said: `listen EADDRINUSE: address already in use 127.0.0.1:25`. */
export function readListenFailure(message: string): ListenFailure | undefined {
  const found =
    /\blisten (EADDRINUSE|EACCES|EADDRNOTAVAIL|EINVAL): .*? (?<address>[\da-f.:[\]%\w-]+:\d+)$/im.exec(
      message,
    );
  const [, code = '', address = ''] = found ?? [];
  return found ? { address, code } : undefined;
}
