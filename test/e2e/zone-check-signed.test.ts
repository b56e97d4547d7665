import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nameOf } from '@copain/dns';
import { readZoneFile, signatureProblems } from '@copain/dns/io';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNot } from './lib/programs.ts';
import { run, runWell } from './lib/run.ts';

const origin = 'z.test';
const zone = `$TTL 300
@ SOA ns host 1 14400 3600 604800 300
@ NS ns
ns A 192.0.2.1
*.Wild TXT "anything"
a.ent MX 10 NS.z.test.
\\000.b SRV 1 2 3 ns
typ TYPE65400 \\# 3 010203
sub NS ns.sub
ns.sub A 192.0.2.3
de.ep.sub2 NS ns
safe NS ns
safe DS 12345 13 2 ${'ab'.repeat(32)}
`;
const algorithms = ['RSASHA256', 'ECDSAP256SHA256', 'ECDSAP384SHA384', 'ED25519', 'ED448'];
const denials = [
  { how: 'NSEC', flags: [] },
  { how: 'NSEC3', flags: ['-3', 'abcd'] },
  { how: 'NSEC3 with opt-out', flags: ['-3', '-', '-A'] },
];
const programs = ['dnssec-keygen', 'dnssec-signzone', 'dnssec-verify'];
const peer = new URL('../../packages/cli/bin/peer', import.meta.url).pathname;

describe.skipIf(whyNot({ programs }, 'zone-check-signed'))('peer zone check of a signed zone', () => {
  let folder: string;
  const keys = new Map<string, string[]>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'copain-signed-'));
    for (const algorithm of algorithms) {
      const bits = algorithm === 'RSASHA256' ? ['-b', '1024'] : [];
      const make = (more: string[]): Promise<string> =>
        runWell(['dnssec-keygen', '-q', '-K', folder, '-a', algorithm, ...bits, ...more, origin]);
      keys.set(algorithm, [(await make([])).trim(), (await make(['-f', 'KSK'])).trim()]);
    }
  });
  afterAll(async () => await rm(folder, { recursive: true }));

  async function signed(algorithm: string, flags: string[]): Promise<string[]> {
    const [zsk = '', ksk = ''] = keys.get(algorithm) ?? [];
    const [plain, out] = [join(folder, 'plain'), join(folder, 'signed')];
    const dnskeys = [zsk, ksk].map((key) => readFileSync(join(folder, `${key}.key`), 'latin1'));
    writeFileSync(plain, zone + dnskeys.join(''));
    const at = ['-K', folder, '-d', folder, '-o', origin, '-f', out, '-O', 'full', '-k', join(folder, ksk)];
    await runWell(['dnssec-signzone', '-q', '-P', '-x', ...flags, ...at, plain, join(folder, zsk)]);
    return readFileSync(out, 'latin1')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(';'));
  }

  it.each(algorithms.flatMap((algorithm) => denials.map((denial) => ({ algorithm, ...denial }))))(
    'judges a zone with $algorithm and $how as BIND does, whole and without any one record',
    async ({ algorithm, flags }) => {
      const lines = await signed(algorithm, flags);
      const variants = lines.map((gone) => ({ gone, text: lines.filter((line) => line !== gone) }));
      let bad = 0;
      for (const { gone, text } of [
        { gone: 'nothing', text: lines },
        ...variants.filter((_, n) => n % 4 === 1),
      ]) {
        const file = join(folder, 'variant');
        writeFileSync(file, `${text.join('\n')}\n`);
        const read = await readZoneFile({ path: file, origin: nameOf(origin) });
        const problems = [...read.problems, ...signatureProblems(file, read, Date.now())];
        const isGood = problems.every(({ severity }) => severity !== 'error');
        const { code } = await run(['dnssec-verify', '-q', '-z', '-o', origin, file]);
        if (code !== 0) bad++;
        expect({ gone, isGood, told: isGood ? [] : problems }).toMatchObject({ gone, isGood: code === 0 });
      }
      expect(bad).toBeGreaterThan(5);
    },
  );

  it('exits 0 for a whole one, and 1 with file and line for one whose signatures have expired', async () => {
    const lines = await signed('ECDSAP256SHA256', []);
    const file = join(folder, 'checked.zone');
    writeFileSync(file, `${lines.join('\n')}\n`);
    const check = [peer, '--home', join(folder, 'home'), 'zone', 'check', file, origin];
    expect(await run(check)).toMatchObject({ code: 0 });
    const expired = await signed('ECDSAP256SHA256', ['-s', '20200101000000', '-e', '20200201000000']);
    writeFileSync(file, `${expired.join('\n')}\n`);
    const { code, stdout } = await run(check);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /checked\.zone:\d+:\d+: error: SOA of z\.test\. has a signature by key \d+ that has expired/,
    );
  });
});
