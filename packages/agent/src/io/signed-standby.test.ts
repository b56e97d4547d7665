import { loadZone, nameOf, parseIpv4, type Zone } from '@copain/dns';
import { signatureVerifier } from '@copain/dns/io';
import { expect, it } from 'vitest';
import { readSignedStandby, signedUntilMs, standbyFault } from '../signed-standby.ts';

/** Signed by BIND's dnssec-signzone, from 2026 to 2087. */
const home = `alice.example. 300 SOA ns.alice.example. host.alice.example. 1 14400 3600 604800 300
alice.example. 300 RRSIG SOA 15 2 300 20870101000000 20260101000000 28226 alice.example. 4cuNAS8RyYm/gPJv4GEZ32othblXSIg+nbG/uRVLlMITDPTra7jwXcNw sOxNNw/gDXhADq+XoDi0/sgrZIYgCQ==
alice.example. 300 NS ns.alice.example.
alice.example. 300 RRSIG NS 15 2 300 20870101000000 20260101000000 28226 alice.example. OCNVaF2aYJxo9UuokSCmwPottRGyRYTO/pIfdfEiff1oDj7SNIgLwCtL BB6Q7V/bBREiAD1aqIe56dZBM04fCw==
alice.example. 300 NSEC ns.alice.example. NS SOA RRSIG NSEC DNSKEY
alice.example. 300 RRSIG NSEC 15 2 300 20870101000000 20260101000000 28226 alice.example. EsOC0N6lXHrLcYEe+J2SC/nRgmSyOUy27IIc8FGtjTAiu4r+FuEkYCfA Yq8oI1s/xlwEj7LpH/a8oCI1nRqPBw==
alice.example. 300 DNSKEY 256 3 15 C3LB0cCiGmJtfSQ8/xNCZKJ2/LX6UrYx04yhquHzR9w=
alice.example. 300 DNSKEY 257 3 15 ayWCV6htCP5da8Jjyp2SKj43Ydep2DRHxFvw3hanTWQ=
alice.example. 300 RRSIG DNSKEY 15 2 300 20870101000000 20260101000000 28226 alice.example. qQB04dVQLaYpMUU8u4P+hBFxXqCBXvnj8OquErKtW3nBxDWfFs4D/RnG D0Uav9P5Au64D0hlVhkQtXk4SWl4Aw==
alice.example. 300 RRSIG DNSKEY 15 2 300 20870101000000 20260101000000 46852 alice.example. H8HwDyh9oeE0NU9bYfVEm51jxKcaUAszzXK8Vss9yzinV0doP/pvCD0R lfPbO5AqQJgiJPXXowMCvfOGeSIEBg==
www.alice.example. 300 A 192.0.2.1
www.alice.example. 300 RRSIG A 15 3 300 20870101000000 20260101000000 28226 alice.example. 94+Aa8nhLa3cSooStr1XmhIQcVDg3iQUG57w0iEjWoKpisWUHdneiD5y 8ke1JocXqpnH9bhfULIqnwFZMU1xBA==
www.alice.example. 300 NSEC alice.example. A RRSIG NSEC
www.alice.example. 300 RRSIG NSEC 15 3 300 20870101000000 20260101000000 28226 alice.example. /6QR4n2/WCPhnmJ8nlXMtEwRUc42NEusLuOpV7T3x9zPuq6bVTOdUw0P qMhSdWbnCONEcMcUu/bsxVQNgFxVDg==
ns.alice.example. 300 A 192.0.2.9
ns.alice.example. 300 RRSIG A 15 3 300 20870101000000 20260101000000 28226 alice.example. /Q12L/rKpLrcqV7iXgSijSOF9sqbuRuPZ3rVNcZLV6xOrz53ntyO+5e+ 90XbXJkoliZPVERxCG20XITeIfLkDg==
ns.alice.example. 300 NSEC www.alice.example. A RRSIG NSEC
ns.alice.example. 300 RRSIG NSEC 15 3 300 20870101000000 20260101000000 28226 alice.example. r03LHA1arRGsKvQtVnohtd95C/rjZtVG5gDFqIOLZ9XdArHajN9bJNRt grBYM531yOMsz36C3BzhlExwhXj5BA==
`;
/** The same zone with the standby's address, by the same keys: what is at www. */
const away = `www.alice.example. 300 A 198.51.100.7
www.alice.example. 300 RRSIG A 15 3 300 20870101000000 20260101000000 28226 alice.example. k1OSR3WFKxduqwSiJDdHei6p4ikyqjnICmAgLYZhzK2xze7TOKjI/5TQ X4yRanv1BlXqjciXiJczzcNntqvKDg==
www.alice.example. 300 NSEC alice.example. A RRSIG NSEC
www.alice.example. 300 RRSIG NSEC 15 3 300 20870101000000 20260101000000 28226 alice.example. /6QR4n2/WCPhnmJ8nlXMtEwRUc42NEusLuOpV7T3x9zPuq6bVTOdUw0P qMhSdWbnCONEcMcUu/bsxVQNgFxVDg==
`;
const nowMs = Date.UTC(2030, 0);
const verify = signatureVerifier();
const [origin, name, record] = [nameOf('alice.example'), nameOf('www.alice.example'), 'www.alice.example'];
const wantedAt = (address: string) => [
  { type: 1, data: [parseIpv4(address) ?? new Uint8Array()], signatures: [] },
];
function zone(): Zone {
  const loaded = loadZone({ text: home, file: 'home', origin }).zone;
  if (loaded === undefined) throw new Error('the zone of the test is one');
  return loaded;
}
function signed(text = away, address = '198.51.100.7', ttlS = 60) {
  const read = readSignedStandby(
    { text, file: 'f' },
    { origin, record: name, wanted: wantedAt(address), ttlS },
  );
  if (read.kind === 'problem') throw new Error(read.text);
  return read;
}

it('takes the standby’s records with the signatures of the zone’s own signer, which validators take too', () => {
  const { sets, ttlS } = signed();
  expect([sets.length, sets[0]?.signatures.length, ttlS]).toEqual([1, 1, 60]);
  expect(signed(away, '198.51.100.7', 3600).ttlS).toBe(300);
  expect(standbyFault(zone(), { record, name, sets, ttlS }, { nowMs, verify })).toBeUndefined();
  expect(signedUntilMs(sets)).toBe(Date.UTC(2087, 0));
});

it('refuses what validators would refuse: nothing signed, another key or data, expired', () => {
  const fault = (sets: Parameters<typeof standbyFault>[1]['sets'], atMs = nowMs, ttlS = 60) =>
    standbyFault(zone(), { record, name, sets, ttlS }, { nowMs: atMs, verify });
  expect(fault(wantedAt('198.51.100.7'))).toContain('need signatures of their own');
  const { sets } = signed();
  const [set = { type: 1, data: [], signatures: [] }] = sets;
  expect(fault([{ ...set, data: [Uint8Array.of(198, 51, 100, 8)] }])).toContain('does not hold');
  expect(fault(signed(home, '192.0.2.1').sets)).toBeUndefined();
  expect(fault([{ ...set, signatures: signed(home, '192.0.2.1').sets[0]?.signatures ?? [] }])).toContain(
    'does not hold',
  );
  expect(fault(sets, Date.UTC(2088, 0))).toContain('have expired');
  expect(fault(sets, nowMs, 3600)).toContain('signed with 300');
});

it('a file that has other records than the standby’s, or no signatures over them, is no use', () => {
  expect(() => signed(home)).toThrow("not the standby's records");
  expect(() => signed(away.replace(/^.*RRSIG A .*$/m, ''))).toThrow("not the standby's records");
  expect(() => signed('www A 198.51.100.700')).toThrow('f:1:');
});
