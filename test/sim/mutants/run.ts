import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Mutant, mutants, runOf } from './mutants.ts';

interface Outcome {
  name: string;
  what: string;
  /** The rule that was broken first, or undefined where none was. */
  rule: string | undefined;
  text: string;
}

const root = resolve(import.meta.dirname, '../../..');

/** A copy of the sources in which one line can be spoilt at a time, with the installed packages of this tree. */
function copyOfSources(): string {
  const copy = mkdtempSync(join(tmpdir(), 'copain-mutants-'));
  const isSource = (path: string): boolean => !/\/(dist|node_modules|coverage)(\/|$)|\.test\.ts$/.test(path);
  for (const path of ['package.json', 'packages', 'test/sim', 'scripts/simulate.ts'])
    cpSync(join(root, path), join(copy, path), {
      recursive: true,
      filter: (from) => isSource(from.slice(root.length)),
    });
  mkdirSync(join(copy, 'node_modules/@copain'), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules')))
    if (name !== '@copain' && !name.startsWith('.'))
      symlinkSync(join(root, 'node_modules', name), join(copy, 'node_modules', name));
  for (const name of readdirSync(join(copy, 'packages')))
    symlinkSync(join(copy, 'packages', name), join(copy, 'node_modules/@copain', name));
  return copy;
}

/** Runs the simulator of the copy; the first broken rule, if any. A crash of it counts as found, under that name. */
function simulated(copy: string, mutant: Partial<Mutant>): { rule: string | undefined; text: string } {
  const { boxes, days, seed } = runOf(mutant);
  const argv = ['--conditions=@copain/source', join(copy, 'scripts/simulate.ts'), '--json'];
  const run = spawnSync(
    process.execPath,
    [...argv, '--boxes', `${boxes}`, '--days', `${days}`, '--seed', `${seed}`],
    {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      timeout: 1_200_000,
    },
  );
  if (run.status !== 0 && run.status !== 1) {
    const thrown =
      run.stderr.split('\n').find((line) => /Error/.test(line)) ?? `ended with ${run.status ?? run.signal}`;
    return { rule: 'runs-to-its-end', text: thrown.trim() };
  }
  const report = JSON.parse(run.stdout) as { broken: { rule: string; text: string }[] };
  const [first] = report.broken;
  return first ?? { rule: undefined, text: '' };
}

/**
 * Plants each fault in a copy of the sources and simulates it: a table of what was planted and which rule found it. The
 * exit code is 1 where a fault survives, or a line to be spoilt is no longer there, or a run without any fault breaks a rule.
 */
export async function runMutants(options: { only: string | undefined; json: boolean }): Promise<number> {
  const chosen = mutants.filter(({ name }) => options.only === undefined || name === options.only);
  if (chosen.length === 0) {
    process.stderr.write(
      `simulate: no mutant is called ${options.only}; there are ${mutants.map(({ name }) => name).join(', ')}\n`,
    );
    return 64;
  }
  const copy = copyOfSources();
  const outcomes: Outcome[] = [];
  let isSound = true;
  try {
    const plain = new Map(chosen.map((mutant) => [JSON.stringify(runOf(mutant)), mutant]));
    for (const mutant of plain.values()) {
      const { rule, text } = simulated(copy, mutant);
      if (rule === undefined) continue;
      isSound = false;
      process.stderr.write(
        `simulate: without any fault ${JSON.stringify(runOf(mutant))} breaks ${rule}: ${text}\n`,
      );
    }
    for (const mutant of chosen) {
      const { name, what, file, from, to } = mutant;
      const path = join(copy, file);
      const good = readFileSync(path, 'utf8');
      if (good.split(from).length !== 2) {
        isSound = false;
        process.stderr.write(
          `simulate: ${name}: ${file} has not exactly one place ${JSON.stringify(from)}\n`,
        );
        continue;
      }
      writeFileSync(
        path,
        good.replace(from, () => to),
      );
      const outcome: Outcome = { name, what, ...simulated(copy, mutant) };
      writeFileSync(path, good);
      outcomes.push(outcome);
      if (!options.json) process.stdout.write(`${rowOf(outcome)}\n`);
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  const found = outcomes.filter(({ rule }) => rule !== undefined).length;
  const summary = `${found} of ${chosen.length} planted faults were found`;
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ schema: 'peer.simulate-mutants/1', found, planted: chosen.length, mutants: outcomes })}\n`
      : `${summary}\n`,
  );
  return isSound && found === chosen.length ? 0 : 1;
}

const rowOf = ({ name, what, rule, text }: Outcome): string =>
  `${rule === undefined ? 'SURVIVED' : 'found   '}  ${name.padEnd(28)} ${(rule ?? '-').padEnd(26)} ${what}${text === '' ? '' : `\n${' '.repeat(10)}${text}`}`;
