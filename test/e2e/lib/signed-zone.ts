import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { anchorsText, type TrustAnchor } from './delv.ts';
import { runWell } from './run.ts';

/** A zone with keys of its own, signed by the tools of BIND. */
export interface SigningFolder extends TrustAnchor {
  /** Signs this master file (in which `@` is the origin) and gives the path of the signed one. */
  sign(text: string): Promise<string>;
}

export async function signingFolder(folder: string, origin: string): Promise<SigningFolder> {
  mkdirSync(folder);
  const tool = (...command: string[]): Promise<string> => runWell(command, { cwd: folder });
  await tool('dnssec-keygen', '-q', '-a', 'ECDSAP256SHA256', '-f', 'KSK', origin);
  await tool('dnssec-keygen', '-q', '-a', 'ECDSAP256SHA256', origin);
  const keys = readdirSync(folder).filter((name) => name.endsWith('.key'));
  const [, key = ''] =
    keys
      .map((name) => / DNSKEY (257 3 13 .*)/.exec(readFileSync(join(folder, name), 'utf8')))
      .find(Boolean) ?? [];
  const anchors = join(folder, 'anchors');
  writeFileSync(anchors, anchorsText(origin, key));
  return {
    origin,
    anchors,
    sign: async (text) => {
      writeFileSync(join(folder, 'zone'), text);
      await tool('dnssec-signzone', '-S', '-3', '-', '-o', origin, '-f', 'signed', 'zone');
      return join(folder, 'signed');
    },
  };
}
