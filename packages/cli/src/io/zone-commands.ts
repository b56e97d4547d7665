import { resolve } from 'node:path';
import { CommandError, ExitCode, visible } from '@copain/core';
import { primaryLines, problemLine, type ZoneProblem, type ZoneStatus, zonesTable } from '@copain/status';
import { appliedText, changeConfig, mustBeReadable } from './config-file.ts';
import type { Session } from './session.ts';

interface Check {
  problems: ZoneProblem[];
  serial?: number | null | undefined;
  /** Null where nothing of it is published here; undefined where no agent runs that knows. */
  publishedSerial?: number | null | undefined;
}

const isCount = (serial: number | null | undefined): serial is number => typeof serial === 'number';

const hasErrors = ({ problems }: { problems: readonly ZoneProblem[] }): boolean =>
  problems.some(({ severity }) => severity === 'error');

/** Lower case, no dot at the end: how the agent names zones and domains. */
export const plainDomain = (text: string): string => text.toLowerCase().replace(/(?<=.)\.$/, '');

/** Reads a master file as the agent would: by the agent where one runs, else here. */
async function check(session: Session, file: string, origin: string): Promise<Check> {
  await mustBeReadable(file);
  try {
    return (await session.ask('zone.check', { file, origin })) as Check;
  } catch (error) {
    if (!(error instanceof CommandError) || error.exit !== ExitCode.unreachable) throw error;
    return await checkHere(file, origin);
  }
}

async function checkHere(file: string, origin: string): Promise<Check> {
  const [{ parseName }, { readZoneFile }] = await Promise.all([
    import('@copain/dns'),
    import('@copain/dns/io'),
  ]);
  const parsed = parseName(origin);
  if (parsed.kind !== 'name')
    throw new CommandError(ExitCode.badInput, `"${visible(origin)}" is no name of a zone`);
  const { problems, zone } = await readZoneFile({ path: file, origin: parsed.name });
  return { problems, serial: zone?.serial };
}

/** Verified here and not by the agent, which has others to answer meanwhile. */
async function checkSignatures(path: string, origin: string): Promise<ZoneProblem[]> {
  const [{ nameOf }, { readZoneFile, signatureProblems }] = await Promise.all([
    import('@copain/dns'),
    import('@copain/dns/io'),
  ]);
  return signatureProblems(path, await readZoneFile({ path, origin: nameOf(origin) }), Date.now());
}

/** `peer zone check FILE ORIGIN`: 0 where the file can be published, 1 where it has mistakes. */
export async function checkZone(session: Session, file: string, origin: string): Promise<number> {
  const path = resolve(session.world.cwd, file);
  const result = await check(session, path, plainDomain(origin));
  const { serial, publishedSerial } = result;
  if (!hasErrors(result))
    result.problems = [...result.problems, ...(await checkSignatures(path, plainDomain(origin)))];
  const { problems } = result;
  const isGood = !hasErrors(result);
  const lines = problems.map((problem) => `${problemLine(problem)}\n`).join('');
  const published = isCount(publishedSerial) ? `; published is ${publishedSerial}` : '';
  const verdict = isGood ? `${file} is good${isCount(serial) ? `, serial ${serial}` : ''}${published}\n` : '';
  if (isGood && publishedSerial === undefined)
    session.say('no agent runs here, so the serial was not compared with the published one');
  session.answer(
    'zone.check',
    {
      origin,
      file,
      good: isGood,
      serial: serial ?? null,
      publishedSerial: publishedSerial ?? null,
      problems,
    },
    lines + verdict,
  );
  return isGood ? ExitCode.done : ExitCode.no;
}

/** `peer zone add ORIGIN --file FILE | --primary HOST:PORT`. A file with mistakes is refused (65). */
export async function addZone(
  session: Session,
  name: string,
  options: { file?: string | undefined; primary?: string | undefined; tsigFile?: string | undefined },
): Promise<void> {
  const { file, primary, tsigFile } = options;
  const origin = plainDomain(name);
  if ((file === undefined) === (primary === undefined))
    throw new CommandError(ExitCode.usage, 'give the zone one source: --file FILE or --primary HOST:PORT');
  const { addZone: add, relativeToConfig } = await import('@copain/agent');
  const { cwd } = session.world;
  const { configFile } = session.paths;
  const written = (path: string): string => relativeToConfig(configFile, resolve(cwd, path));
  if (file !== undefined) {
    const result = await check(session, resolve(cwd, file), origin);
    for (const problem of result.problems) session.say(problemLine(problem));
    if (hasErrors(result))
      throw new CommandError(ExitCode.badInput, `${file} has mistakes; nothing was changed`, {
        hint: `peer zone check ${file} ${origin}`,
      });
  }
  if (tsigFile !== undefined) {
    if (primary === undefined)
      throw new CommandError(
        ExitCode.usage,
        '--tsig-file is the key of a primary: give --primary HOST:PORT too',
      );
    await mustBeKey(resolve(cwd, tsigFile));
  }
  const source =
    primary === undefined
      ? { file: written(file ?? '') }
      : { primary, tsigFile: tsigFile === undefined ? undefined : written(tsigFile) };
  const applied = await changeConfig(session, (text) => add(text, { origin, ...source }));
  session.answer('zone.add', { origin, ...source, applied }, appliedText(`Zone ${origin} is added`, applied));
  if (primary !== undefined && applied === 'applied') await sayFirstTransfer(session, origin);
}

/** A key that cannot be used is told before anything is changed (65). */
async function mustBeKey(path: string): Promise<void> {
  await mustBeReadable(path);
  const [{ formatProblem, parseTsigKeyFile }, { readFile }] = await Promise.all([
    import('@copain/dns'),
    import('node:fs/promises'),
  ]);
  const read = parseTsigKeyFile({ text: await readFile(path, 'latin1'), file: path });
  if (read.kind === 'problem') throw new CommandError(ExitCode.badInput, formatProblem(read.problem));
}

/** What came of the first question to a primary: on stderr, since the zone is added whatever it was. */
async function sayFirstTransfer(session: Session, origin: string): Promise<void> {
  const { zone } = (await session.ask('zone.renew', { origin })) as { zone: ZoneStatus };
  const { primary } = zone;
  if (primary === null) return;
  for (const line of primaryLines(primary, session.textOptions().nowMs)) session.say(line);
  for (const problem of zone.problems) session.say(problemLine(problem));
}

/** `peer zone remove ORIGIN`. The master file stays. */
export async function removeZone(session: Session, name: string): Promise<void> {
  const origin = plainDomain(name);
  const { removeZone: remove } = await import('@copain/agent');
  const applied = await changeConfig(session, (text) => remove(text, origin));
  const done = applied === 'unchanged' ? `peer.toml has no zone ${origin}` : `Zone ${origin} is removed`;
  session.answer('zone.remove', { origin, applied }, appliedText(done, applied));
}

/** `peer zone list`. */
export async function listZones(session: Session): Promise<void> {
  const { zones } = (await session.ask('zone.list')) as { zones: ZoneStatus[] };
  const text =
    zones.length === 0
      ? 'no zones yet: peer zone add ORIGIN --file FILE\n'
      : zonesTable(zones, session.textOptions());
  session.answer('zone.list', { zones }, text);
}

/** What is said of a friend's copy that had no word for long. */
function copyAge(expiresAt: string | null | undefined, agedPercent: number | undefined): string {
  if (!agedPercent || typeof expiresAt !== 'string') return '';
  return agedPercent >= 100 ? '  expired' : `  ${agedPercent} % of its time is gone, ends ${expiresAt}`;
}

/** Nothing where the file's serial is the one that is served. */
function serialText({ serial, fileSerial, held }: ZoneStatus): string {
  const isKnown = isCount(serial) && isCount(fileSerial) && serial !== fileSerial;
  if (!isKnown || (held !== null && held !== undefined)) return '';
  return `the file says serial ${fileSerial}; serials only rise, so ${serial} is served and counts on with each change\n`;
}

function zoneText(zone: ZoneStatus, table: string, nowMs: number): string {
  const copies = zone.friends.map(
    ({ name, serial, heardAt, expiresAt, agedPercent }) =>
      `  ${visible(name)}  ${serial ?? 'no copy'}  ${heardAt ?? 'not heard yet'}${copyAge(expiresAt, agedPercent)}\n`,
  );
  const file = zone.file === null ? '' : `file ${visible(zone.file, 4096)}\n`;
  const held =
    zone.held === null || zone.held === undefined
      ? ''
      : zone.held === 'behind'
        ? 'the file is based on an older version and is not published: peer zone diff, then peer zone push\n'
        : 'the file is not published yet: it waits for the first signature\n';
  const primary = zone.primary ? primaryLines(zone.primary, nowMs).map((line) => `${line}\n`) : [];
  return `${table}${file}${serialText(zone)}${primary.join('')}${held}${copies.length === 0 ? '' : `copies:\n${copies.join('')}`}`;
}

/** `peer zone show ORIGIN`. */
export async function showZone(session: Session, name: string): Promise<void> {
  const { zone } = (await session.ask('zone.show', { origin: plainDomain(name) })) as { zone: ZoneStatus };
  session.answer(
    'zone.show',
    { zone },
    zoneText(zone, zonesTable([zone], session.textOptions()), session.textOptions().nowMs),
  );
}

/**
 * `peer zone push ORIGIN`: publishes the file as it is now, on top of the newest version, and tells every friend. 65 where
 * it has mistakes, 75 where it waits for a friend to say what this box signed before; `--force` does not wait.
 */
export async function pushZone(
  session: Session,
  name: string,
  options: { force?: boolean | undefined },
): Promise<void> {
  const origin = plainDomain(name);
  const { zone } = (await session.ask('zone.push', { origin, force: options.force === true })) as {
    zone: ZoneStatus;
  };
  if (zone.role !== 'primary')
    throw new CommandError(
      ExitCode.badInput,
      `${origin} is ${visible(zone.owner)}'s zone: its owner publishes it`,
      {
        hint: `peer zone show ${origin}`,
      },
    );
  if (zone.primary?.failing) {
    const stays = zone.serial === null ? 'nothing is served yet' : `serial ${zone.serial} stays served`;
    throw new CommandError(
      ExitCode.unreachable,
      `the primary ${visible(zone.primary.address)} could not be asked: ${visible(zone.primary.failing.text, 400)}; ${stays}`,
      { hint: `peer zone show ${origin}` },
    );
  }
  if (hasErrors(zone)) {
    for (const problem of zone.problems) session.say(problemLine(problem));
    const stays = zone.serial === null ? 'nothing is served yet' : `serial ${zone.serial} stays served`;
    throw new CommandError(ExitCode.badInput, `${origin} has mistakes and was not published: ${stays}`);
  }
  session.answer('zone.push', { zone }, `Zone ${origin} is pushed, at serial ${zone.serial ?? 'none'}.\n`);
}

interface Diff {
  file: string;
  fileSerial?: number | null | undefined;
  publishedSerial: number;
  problems: ZoneProblem[];
  removed: string[];
  added: string[];
}

/** `peer zone diff ORIGIN`: what pushing the file would take away and put in. 0: nothing, 1: something, 65: it has mistakes. */
export async function diffZone(session: Session, name: string): Promise<number> {
  const origin = plainDomain(name);
  const diff = (await session.ask('zone.diff', { origin })) as Diff;
  if (hasErrors(diff)) {
    for (const problem of diff.problems) session.say(problemLine(problem));
    throw new CommandError(ExitCode.badInput, `${diff.file} has mistakes, so it cannot be compared`);
  }
  const { file, publishedSerial, removed, added } = diff;
  const isSame = removed.length + added.length === 0;
  const lines = [
    `--- published, serial ${publishedSerial}`,
    `+++ ${visible(file, 4096)}, serial ${diff.fileSerial ?? 'none'}`,
    ...removed.map((line) => `- ${visible(line, 100_000)}`),
    ...added.map((line) => `+ ${visible(line, 100_000)}`),
  ];
  const text = isSame
    ? `${file} says what is published, serial ${publishedSerial}\n`
    : `${lines.join('\n')}\n`;
  const document = {
    origin,
    same: isSame,
    publishedSerial,
    fileSerial: diff.fileSerial ?? null,
    file,
    removed,
    added,
  };
  session.answer('zone.diff', document, text);
  return isSame ? ExitCode.done : ExitCode.no;
}

interface Version {
  epoch: number;
  sequence: number;
  serial: number;
  at: string;
  hash: string;
  sizeBytes: number;
}

/** `peer zone history ORIGIN`: the versions that this box knows, newest first. */
export async function zoneHistory(session: Session, name: string): Promise<void> {
  const origin = plainDomain(name);
  const { versions } = (await session.ask('zone.history', { origin })) as { versions: Version[] };
  const lines = versions.map(
    ({ sequence, serial, at, hash, sizeBytes }) =>
      `${String(sequence).padStart(6)}  ${String(serial).padStart(10)}  ${at}  ${hash.slice(0, 16)}  ${sizeBytes}\n`,
  );
  const head = 'number      serial  signed                    content           bytes\n';
  const text = versions.length === 0 ? `nothing of ${origin} was published yet\n` : head + lines.join('');
  session.answer('zone.history', { origin, versions }, text);
}
