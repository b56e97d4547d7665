import { expect, it } from 'vitest';
import { loadZone } from '../load-zone.ts';
import { formatProblem } from '../master-file.ts';
import { nameOf } from '../name.ts';
import { signatureProblems } from './zone-signatures.ts';

/** Signed by BIND's dnssec-signzone, from 2026 to 2087. */
const nsec = `alice.example. 300 SOA ns.alice.example. host.alice.example. 1 14400 3600 604800 300
alice.example. 300 RRSIG SOA 15 2 300 20870101000000 20260101000000 1164 alice.example. 7JGSfpsjkxO6mQUiSEGA5Ikyaz7YLsl6FA6oGmRh2kqIY3nULIaFcek9C7vauiDvc2xjyUu5QlwNjlF7K0l2Aw==
alice.example. 300 NS ns.alice.example.
alice.example. 300 RRSIG NS 15 2 300 20870101000000 20260101000000 1164 alice.example. 87Zpya3EKloZeAFoa8DNhUQFsGQJruCvYWjxEmOHQGZN7fbSNWlRUz9vqmn6Ikoc5aVag0LZtBak5ztoAJwYAw==
alice.example. 300 NSEC *.alice.example. NS SOA RRSIG NSEC DNSKEY
alice.example. 300 RRSIG NSEC 15 2 300 20870101000000 20260101000000 1164 alice.example. G+GCwrTyplFJcyA9l0YyihdkF38XU+sEKADVvRkBtpEMPfgYVfiV54Brn9xKDnZRDuXeZScDr7tLuGQ3zn4CAA==
alice.example. 300 DNSKEY 256 3 15 eI1zQwj5hjpIHmlgdNKsbwQkYNpMmAVMyZt5q14BWow=
alice.example. 300 DNSKEY 257 3 15 Y9Au65lCYerQ48LcrCJaZwMf8iPlZFo0YL3sLFlbuVI=
alice.example. 300 RRSIG DNSKEY 15 2 300 20870101000000 20260101000000 1164 alice.example. ROeZ6CWjvr4W67MXl3lYo4Mhm3j/OLStgDSGUaeuMo3rzfw+nvT2qHObjTWeE1Cx7Oem758vm5ZXDzf9zVeNCA==
alice.example. 300 RRSIG DNSKEY 15 2 300 20870101000000 20260101000000 49335 alice.example. 5YCTdewu8dbJkj+LjODY4QPg0ziT+ErCSIsatCl+vKr5ycKZi4COz3vyX8mjdWHcwjqJfdD9TSDQmaEtq/2/CA==
*.alice.example. 300 TXT "anything"
*.alice.example. 300 RRSIG TXT 15 2 300 20870101000000 20260101000000 1164 alice.example. 7bZFO1UBF3r6aX7BrXw0ij36G1owgLScopVR6b3J77/yFpS0yVEz48R+M/hQQVgHEfgdPsijaROibl43uTnYBw==
*.alice.example. 300 NSEC a.ent.alice.example. TXT RRSIG NSEC
*.alice.example. 300 RRSIG NSEC 15 2 300 20870101000000 20260101000000 1164 alice.example. 3S+kcu5TohswJYY36TpaI282y5X2PDM0hqaxNy8xCSr6Wv9Pt5cXsxgJ+Cbak/LbL/5gvvmFuS5kjQI5proABQ==
a.ent.alice.example. 300 A 192.0.2.2
a.ent.alice.example. 300 RRSIG A 15 4 300 20870101000000 20260101000000 1164 alice.example. eknJY6ZIre6yTDpbko+WHnYgf2VRr7w9HgKi9Twd6D445/nOAvhEj6oyjtk+yqmxCwPidFy+atofqY+VWIysBQ==
a.ent.alice.example. 300 NSEC ns.alice.example. A RRSIG NSEC
a.ent.alice.example. 300 RRSIG NSEC 15 4 300 20870101000000 20260101000000 1164 alice.example. CvZ+VjcVQFh6+5+J53yUy0AtT+SDb3B42xw5O/bwRUDAXT0NFyUZGhlPmsF8KpxjKvPB+AefJ/tnOKtl5HFKBw==
ns.sub.alice.example. 300 A 192.0.2.3
ns.alice.example. 300 A 192.0.2.1
ns.alice.example. 300 RRSIG A 15 3 300 20870101000000 20260101000000 1164 alice.example. io3CNK0IzjMxW0z1rqU95T7bvreDvj7uJULLypNDWum03IEWpOmNNGAWVr8ZBjwDSoW25K8CZmB13URAiJkoCw==
ns.alice.example. 300 NSEC safe.alice.example. A RRSIG NSEC
ns.alice.example. 300 RRSIG NSEC 15 3 300 20870101000000 20260101000000 1164 alice.example. WvQgzjwzGeIjr6QwccOYutEUjiD4VspTzTR94X9ZXtE1dhwzpIidp7kA9WYNigGUtdXFB28WAVqae6xsc/CtDQ==
safe.alice.example. 300 NS ns.alice.example.
safe.alice.example. 300 DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
safe.alice.example. 300 RRSIG DS 15 3 300 20870101000000 20260101000000 1164 alice.example. G9dzlTtd/94ubLR7l/j+U+ThAC8sv4blojHJmtCxdypeMylKcw1ZwcySMWCRgpCeCOvZgS6fDlrxa0RR9+cIBQ==
safe.alice.example. 300 NSEC sub.alice.example. NS DS RRSIG NSEC
safe.alice.example. 300 RRSIG NSEC 15 3 300 20870101000000 20260101000000 1164 alice.example. PXziuYKPEx8tCqiutjbL7tho5EP4fQqetRNQzlUGFEZIHyfQOx5SFIhEFXI9oSmOajW5EXj3ylF8SHDYNd5SDg==
sub.alice.example. 300 NS ns.sub.alice.example.
sub.alice.example. 300 NSEC alice.example. NS RRSIG NSEC
sub.alice.example. 300 RRSIG NSEC 15 3 300 20870101000000 20260101000000 1164 alice.example. dku4gPG/+RdzlTT9cwq+2EWwqrIB9TRa/X1TNAYNEwOr3oeEwGC74quyhlAAgfOf9fFiF5PHzuvkU/NQjIdrAA==
`;
/** The same zone with NSEC3 and opt-out. */
const nsec3 = `alice.example. 300 SOA ns.alice.example. host.alice.example. 1 14400 3600 604800 300
alice.example. 300 RRSIG SOA 15 2 300 20870101000000 20260101000000 1164 alice.example. 7JGSfpsjkxO6mQUiSEGA5Ikyaz7YLsl6FA6oGmRh2kqIY3nULIaFcek9C7vauiDvc2xjyUu5QlwNjlF7K0l2Aw==
alice.example. 300 NS ns.alice.example.
alice.example. 300 RRSIG NS 15 2 300 20870101000000 20260101000000 1164 alice.example. 87Zpya3EKloZeAFoa8DNhUQFsGQJruCvYWjxEmOHQGZN7fbSNWlRUz9vqmn6Ikoc5aVag0LZtBak5ztoAJwYAw==
alice.example. 300 DNSKEY 256 3 15 eI1zQwj5hjpIHmlgdNKsbwQkYNpMmAVMyZt5q14BWow=
alice.example. 300 DNSKEY 257 3 15 Y9Au65lCYerQ48LcrCJaZwMf8iPlZFo0YL3sLFlbuVI=
alice.example. 300 RRSIG DNSKEY 15 2 300 20870101000000 20260101000000 1164 alice.example. ROeZ6CWjvr4W67MXl3lYo4Mhm3j/OLStgDSGUaeuMo3rzfw+nvT2qHObjTWeE1Cx7Oem758vm5ZXDzf9zVeNCA==
alice.example. 300 RRSIG DNSKEY 15 2 300 20870101000000 20260101000000 49335 alice.example. 5YCTdewu8dbJkj+LjODY4QPg0ziT+ErCSIsatCl+vKr5ycKZi4COz3vyX8mjdWHcwjqJfdD9TSDQmaEtq/2/CA==
alice.example. 0 NSEC3PARAM 1 0 0 ABCD
alice.example. 0 RRSIG NSEC3PARAM 15 2 0 20870101000000 20260101000000 1164 alice.example. QaIEYzVWo6uzhtEOWDipDaCqCqszadUAaozYKdk9v8lD8sneCzHP1wICR5JH+Lumj9ddJMuZ0liGJ9yTz/FzCQ==
*.alice.example. 300 TXT "anything"
*.alice.example. 300 RRSIG TXT 15 2 300 20870101000000 20260101000000 1164 alice.example. 7bZFO1UBF3r6aX7BrXw0ij36G1owgLScopVR6b3J77/yFpS0yVEz48R+M/hQQVgHEfgdPsijaROibl43uTnYBw==
sub.alice.example. 300 NS ns.sub.alice.example.
ns.sub.alice.example. 300 A 192.0.2.3
a.ent.alice.example. 300 A 192.0.2.2
a.ent.alice.example. 300 RRSIG A 15 4 300 20870101000000 20260101000000 1164 alice.example. eknJY6ZIre6yTDpbko+WHnYgf2VRr7w9HgKi9Twd6D445/nOAvhEj6oyjtk+yqmxCwPidFy+atofqY+VWIysBQ==
ns.alice.example. 300 A 192.0.2.1
ns.alice.example. 300 RRSIG A 15 3 300 20870101000000 20260101000000 1164 alice.example. io3CNK0IzjMxW0z1rqU95T7bvreDvj7uJULLypNDWum03IEWpOmNNGAWVr8ZBjwDSoW25K8CZmB13URAiJkoCw==
safe.alice.example. 300 NS ns.alice.example.
safe.alice.example. 300 DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
safe.alice.example. 300 RRSIG DS 15 3 300 20870101000000 20260101000000 1164 alice.example. G9dzlTtd/94ubLR7l/j+U+ThAC8sv4blojHJmtCxdypeMylKcw1ZwcySMWCRgpCeCOvZgS6fDlrxa0RR9+cIBQ==
4UQ82948QIJ8JJFKFFPBS9AJKIHRJATK.alice.example. 300 NSEC3 1 1 0 ABCD 5IET5MGUVJJ5M1OCHIB5IA017QDJE90J A RRSIG
4UQ82948QIJ8JJFKFFPBS9AJKIHRJATK.alice.example. 300 RRSIG NSEC3 15 3 300 20870101000000 20260101000000 1164 alice.example. iWezH8tY9Ccl7Cgfg32qv6Tm5P+B5BkrlN9IeXkrP6V5nyl3miywar8G6O3ux+4CalcZQEAeHbjKOmmep17RBQ==
5IET5MGUVJJ5M1OCHIB5IA017QDJE90J.alice.example. 300 NSEC3 1 1 0 ABCD 80HCOKQFMMNU1S0KJDPO5JSMAIC4LC05 NS DS RRSIG
5IET5MGUVJJ5M1OCHIB5IA017QDJE90J.alice.example. 300 RRSIG NSEC3 15 3 300 20870101000000 20260101000000 1164 alice.example. PHxw1Mjf1eSs+L1CTfRIlvkwraKLoxOiW8Ps+NYTGHXGyK/UvZ0g7/VTdYhZW8LX2/sjPxV23Gd6qIIno6UUCA==
80HCOKQFMMNU1S0KJDPO5JSMAIC4LC05.alice.example. 300 NSEC3 1 1 0 ABCD I9H61O0N1BLBBACDV19EINUVK904LMQB
80HCOKQFMMNU1S0KJDPO5JSMAIC4LC05.alice.example. 300 RRSIG NSEC3 15 3 300 20870101000000 20260101000000 1164 alice.example. 2afXMDG/4TEbF/+68w4man625SWxc0HJrUDEwfoOMFTliqjzr3lM8b13nmEx3is3EG6UrWWMWZx2Ns8fvpR7Bg==
2FIBG8A2TJDB3KOOTO4ENG97OFNQ4F2O.alice.example. 300 NSEC3 1 1 0 ABCD 4UQ82948QIJ8JJFKFFPBS9AJKIHRJATK NS SOA RRSIG DNSKEY NSEC3PARAM
2FIBG8A2TJDB3KOOTO4ENG97OFNQ4F2O.alice.example. 300 RRSIG NSEC3 15 3 300 20870101000000 20260101000000 1164 alice.example. q24ek0CZ+zW6afOSbFk4p5Qr2MidAjAlAXMu4Xk3gCjjgtnAk57QspGcmM1XGQGHz+ez+Xo3hJhw8LDCnf6AAA==
LF8BUARC7RE84P1G1GOUQ43C84EQE93V.alice.example. 300 NSEC3 1 1 0 ABCD 2FIBG8A2TJDB3KOOTO4ENG97OFNQ4F2O A RRSIG
LF8BUARC7RE84P1G1GOUQ43C84EQE93V.alice.example. 300 RRSIG NSEC3 15 3 300 20870101000000 20260101000000 1164 alice.example. UTKgywgNkF/416x82ZJmEpMfqD5gpVkDzw+VgKu0v/Mohq4eZyMEfe/JKG8mr6mhg2aktAZFi3qZz23SeFlSCg==
I9H61O0N1BLBBACDV19EINUVK904LMQB.alice.example. 300 NSEC3 1 1 0 ABCD LF8BUARC7RE84P1G1GOUQ43C84EQE93V TXT RRSIG
I9H61O0N1BLBBACDV19EINUVK904LMQB.alice.example. 300 RRSIG NSEC3 15 3 300 20870101000000 20260101000000 1164 alice.example. IgEAH/95EuIKtJ3eaDdOyElpwvU5SfI0vhqacwke6LrTdeWrfInrzvwcutnKZT5tWAQ4J34zQkMnw3ZCZdYICw==
`;
const whileValidMs = Date.UTC(2030, 0);

function told(text: string, nowMs = whileValidMs): string[] {
  const loaded = loadZone({ text, file: 'alice.zone', origin: nameOf('alice.example') });
  expect(loaded.zone).toBeDefined();
  const read = { ...loaded, files: [], ends: new Map() };
  return signatureProblems('alice.zone', read, nowMs).map(formatProblem);
}

/** The text without the lines that match, of which there must be one. */
function without(text: string, line: RegExp): string {
  const lines = text.split('\n');
  const kept = lines.filter((one) => !line.test(one));
  expect(kept.length).toBeLessThan(lines.length);
  return kept.join('\n');
}

it('finds nothing in what another signer signed, with NSEC, and with NSEC3 and opt-out', () => {
  expect(told(nsec)).toEqual([]);
  expect(told(nsec3)).toEqual([]);
});

it('says nothing of a zone that is not signed', () => {
  expect(told('@ 300 SOA ns host 1 14400 3600 604800 300\n@ 300 NS ns\nns 300 A 192.0.2.1\n')).toEqual([]);
});

it('tells what has expired and what is not valid yet, with file and line', () => {
  expect(told(nsec, Date.UTC(2088, 0))[0]).toMatch(
    /^alice\.zone:3:1: error: NS of alice\.example\. has a signature by key \d+ that has expired$/,
  );
  expect(told(nsec, Date.UTC(2025, 0))[0]).toMatch(/that is not valid yet$/);
});

it.each([
  {
    what: 'a record that was changed after it was signed',
    text: nsec.replace('a.ent.alice.example. 300 A 192.0.2.2', 'a.ent.alice.example. 300 A 192.0.2.9'),
    says: /A of a\.ent\.alice\.example\. has a signature by key \d+ that does not hold/,
  },
  {
    what: 'a TTL above the one that was signed',
    text: nsec.replace('a.ent.alice.example. 300 A', 'a.ent.alice.example. 301 A'),
    says: /A of a\.ent\.alice\.example\. has the TTL 301, and was signed with 300/,
  },
  {
    what: 'an RRset without a signature',
    text: without(nsec, /^\S+ 300 RRSIG TXT /),
    says: /TXT of \*\.alice\.example\. is not signed/,
  },
  {
    what: 'a signature by a key that is not there',
    text: without(nsec, / DNSKEY 256 /),
    says: /has a signature by key \d+ of algorithm 15, which is no DNSKEY of the zone/,
  },
  {
    what: 'keys that no key has signed which a DS could be of',
    text: without(nsec, /RRSIG DNSKEY .* 49335 /),
    says: /: error: no key with the flag of an entry point \(257\) has signed the DNSKEY records/,
  },
  {
    what: 'a TTL below the one that was signed',
    text: nsec.replace('a.ent.alice.example. 300 A', 'a.ent.alice.example. 299 A'),
    says: /: warning: A of a\.ent\.alice\.example\. has the TTL 299, and was signed with 300/,
  },
  {
    what: 'a second signature that does not hold',
    text: nsec.replace('ROeZ6CWj', 'AAAA6CWj'),
    says: /: warning: DNSKEY of alice\.example\. has a signature by key 1164 that does not hold/,
  },
  {
    what: 'no key at all',
    text: without(nsec, / DNSKEY \d/),
    says: /no DNSKEY record at its top/,
  },
  {
    what: 'a signature by another zone',
    text: nsec.replace(/(a\.ent\S+ 300 RRSIG A .* )alice\.example\. (\S+)$/m, '$1bob.example. $2'),
    says: /has a signature by key \d+ of another zone/,
  },
  {
    what: 'a signature that a wildcard would have',
    text: nsec.replace('RRSIG A 15 4 300', 'RRSIG A 15 3 300'),
    says: /has a signature by key \d+ that is for another name/,
  },
  {
    what: 'a name that has no NSEC',
    text: without(nsec, /^ns\.alice\.example\. 300 (NSEC|RRSIG NSEC) /),
    says: /ns\.alice\.example\. has no NSEC record/,
  },
  {
    what: 'a gap in the chain of NSEC',
    text: without(nsec, /^ns\.alice\.example\. 300 /),
    says: /NSEC of a\.ent\.alice\.example\. says that ns\.alice\.example\. is next, and it is safe\.alice\.example\./,
  },
  {
    what: 'an NSEC that denies a type',
    text: `${nsec}a.ent.alice.example. 300 AAAA 2001:db8::1\n`,
    says: /NSEC of a\.ent\.alice\.example\. denies what is there: AAAA/,
  },
  {
    what: 'an NSEC that lists a type too many',
    text: without(nsec, /^\*\.alice\.example\. 300 (TXT|RRSIG TXT) /),
    says: /NSEC of \*\.alice\.example\. lists what is not there: TXT/,
  },
  {
    what: 'neither NSEC nor NSEC3',
    text: without(nsec, /^\S+ 300 (NSEC|RRSIG NSEC) /),
    says: /neither NSEC nor NSEC3 records/,
  },
  {
    what: 'a name that has no NSEC3',
    text: `${nsec3}www.alice.example. 300 A 192.0.2.9\n`,
    says: /www\.alice\.example\. has no NSEC3 record$/,
  },
  {
    what: 'a delegation left out where nothing is opt-out',
    text: nsec3.replaceAll('NSEC3 1 1 0', 'NSEC3 1 0 0'),
    says: /sub\.alice\.example\. has no NSEC3 record, and the one before it is not opt-out/,
  },
  {
    what: 'an NSEC3 of no name',
    text: without(nsec3, /^a\.ent\.alice\.example\. /),
    says: /: error: \S+ is an NSEC3 record of no name in the zone/,
  },
  {
    what: 'parameters of a chain that is not there',
    text: nsec3.replace('NSEC3PARAM 1 0 0 ABCD', 'NSEC3PARAM 1 0 0 ABCE'),
    says: /NSEC3PARAM names a chain of NSEC3 records that the zone does not have/,
  },
  {
    what: 'a CDS of no key of the zone',
    text: `${nsec}alice.example. 300 CDS 1 15 2 ${'00'.repeat(32)}\n`,
    says: /a CDS is of none of the DNSKEY records/,
  },
])('tells $what', ({ text, says }) => {
  expect(told(text).filter((line) => says.test(line))).not.toEqual([]);
});

it('an algorithm with a key and without signatures is a warning: validators make do with the other', () => {
  const key =
    'alice.example. 300 DNSKEY 256 3 13 LiJCYpav6haPA3M3GhTZ/L6wtSqS7e9mwKsUTdBkZ71RS8qmXsITLz5bFHMSy7K8mCuQIdTTJ3cGkbguNBqgJg==';
  expect(told(`${nsec}${key}\n`).filter((line) => line.includes('algorithm 13'))).toMatchObject([
    expect.stringContaining('warning: the zone has a DNSKEY of algorithm 13 and is not signed with it'),
  ]);
});

it('no more than a hundred mistakes are told', () => {
  const more = Array.from({ length: 200 }, (_, n) => `h${n}.alice.example. 300 A 192.0.2.1\n`).join('');
  expect(told(nsec + more).at(-1)).toMatch(/from here on more is not told/);
  expect(told(nsec + more)).toHaveLength(101);
});
