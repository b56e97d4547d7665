const tokenPattern = /^postmaster\+copain-([0-9a-f]{20})@/;

/** Bytes of randomness in a token, so that nobody guesses an address whose mail is removed on arrival. */
export const canaryTokenBytes = 10;

/**
 * Where a canary is sent: an address of postmaster, whom every friend takes mail for, with a tag that nobody else knows
 * (RFC 5233). `token`: 20 hexadecimal digits.
 */
export const canaryAddress = (token: string, domain: string): string =>
  `postmaster+copain-${token}@${domain}`;

/** The token in such an address, or undefined where it is another one. */
export const canaryToken = (address: string): string | undefined => tokenPattern.exec(address)?.[1];

/** The whole message. It explains itself, for the case in which a person sees it after all. */
export function canaryMessage(options: { token: string; domain: string; date: string }): string {
  const { token, domain, date } = options;
  return [
    `Date: ${date}`,
    `From: copain <postmaster@${domain}>`,
    `To: <${canaryAddress(token, domain)}>`,
    'Subject: copain canary',
    `Message-ID: <copain-canary-${token}@${domain}>`,
    'Auto-Submitted: auto-generated',
    `X-Copain-Canary: ${token}`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    `The copain agent of ${domain} sends this once a day to each backup mail`,
    'server, to see that mail which is held there comes back whole. The agent',
    'removes it on arrival. If you read it in a mailbox, it took another way:',
    'peer doctor mail tells more.',
    '',
  ].join('\r\n');
}
