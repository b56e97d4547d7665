import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { allVectors } from './wire-vectors/all.ts';

const folder = join(import.meta.dirname, '../test/vectors');
for (const [name, content] of Object.entries(await allVectors())) {
  writeFileSync(join(folder, name), `${JSON.stringify(content, undefined, 2)}\n`);
  console.log(`test/vectors/${name}`);
}
