import { parseArgs } from 'node:util';
import { runMutants } from '../test/sim/mutants/run.ts';
import { reportText } from '../test/sim/report-text.ts';
import { type MixName, mixNames } from '../test/sim/scenarios/mixes.ts';
import { simulate } from '../test/sim/simulate.ts';

/** Usage and bad input, as sysexits.h has them. */
const exitUsage = 64;

const usage = `usage: scripts/simulate [--boxes N] [--days D] [--seed S] [--mix ${mixNames.join('|')}] [--full] [--json]
       scripts/simulate --mutants [--only NAME] [--json]`;

function refuse(text: string): never {
  process.stderr.write(`simulate: ${text}\n${usage}\n`);
  process.exit(exitUsage);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        boxes: { type: 'string', default: '5' },
        days: { type: 'string', default: '30' },
        seed: { type: 'string', default: '1' },
        mix: { type: 'string' },
        full: { type: 'boolean', default: false },
        mutants: { type: 'boolean', default: false },
        only: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    refuse(error instanceof Error ? error.message : 'cannot read the arguments');
  }
}

function number(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!(value >= least && value <= most)) refuse(`--${name} is a number from ${least} to ${most}`);
  return value;
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = number(name, text, least, most);
  if (!Number.isInteger(value)) refuse(`--${name} is a whole number`);
  return value;
}

const options = readArguments();
if (options.help) {
  process.stdout.write(`${usage}\n`);
} else if (options.mutants) {
  process.exitCode = await runMutants({ only: options.only, json: options.json });
} else {
  const mix = mixNames.find((name) => name === options.mix);
  if (options.mix !== undefined && mix === undefined) refuse(`--mix is one of ${mixNames.join(', ')}`);
  const chosen: readonly MixName[] = mix === undefined ? mixNames : [mix];
  const startedMs = performance.now();
  const used = process.cpuUsage();
  const report = simulate({
    boxes: whole('boxes', options.boxes, 2, 64),
    days: number('days', options.days, 0.1, 36_500),
    seed: whole('seed', options.seed, 0, 2 ** 31),
    mixes: chosen,
    full: options.full,
    progress: (doneDays) => {
      if (process.stderr.isTTY) process.stderr.write(`\rsimulated ${Math.floor(doneDays)} days`);
    },
  });
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  const { user, system } = process.cpuUsage(used);
  const cpuSeconds = (user + system) / 1e6;
  const timed = {
    ...report,
    cpuSeconds,
    wallSeconds: (performance.now() - startedMs) / 1000,
    timesRealTime: Math.round((report.simulatedDays * 86_400) / cpuSeconds),
  };
  process.stdout.write(
    options.json ? `${JSON.stringify({ schema: 'peer.simulate/1', ...timed })}\n` : reportText(timed),
  );
  process.exitCode = report.broken.length === 0 ? 0 : 1;
}
