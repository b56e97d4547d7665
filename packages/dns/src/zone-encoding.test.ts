import { expect, it } from 'vitest';
import { loadZone } from './load-zone.ts';
import { nameOf, nameToText } from './name.ts';
import { RecordType } from './record-types.ts';
import { encodeRecords, zoneRecords } from './zone-encoding.ts';

it('data are put in the order of their canonical form, names in them in lower case for that alone (RFC 4034 §6.2, §6.3)', () => {
  const { zone } = loadZone({
    text: '$TTL 300\n@ SOA ns host 1 4h 1h 2w 60\n@ NS Ns.Zz\n@ NS nS.a\nNs.Zz A 192.0.2.1\nns.a A 192.0.2.1\n',
    file: 'z',
    origin: nameOf('example'),
  });
  if (!zone) throw new Error('it is a zone');
  const names = zoneRecords(zone)
    .filter(({ type }) => type === RecordType.NS)
    .map(({ rdata }) => nameToText(rdata));
  // Lengths of labels come before letters: `2 ns 1 a` is less than `2 ns 2 zz`, whatever the case.
  expect(names).toEqual(['nS.a.example.', 'Ns.Zz.example.']);
  expect(encodeRecords(zoneRecords(zone))).toContain('Z'.charCodeAt(0));
});
