/** The tag by which signatures and DS records name a key (RFC 4034 appendix B); several keys may have the same. */
export function keyTagOf(dnskey: Uint8Array): number {
  let sum = 0;
  dnskey.forEach((octet, index) => {
    sum += index % 2 === 0 ? octet << 8 : octet;
  });
  return (sum + (sum >>> 16)) & 0xffff;
}
