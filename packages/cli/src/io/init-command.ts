import { access, chmod, mkdir, open, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { CommandError, ExitCode, formatHostPort, type HostPort, isName, parseHostPort } from '@copain/core';
import { listenReasons } from '../listen-failure.ts';
import { readListenOption } from '../listen-option.ts';
import { obstacleOf } from './box-check.ts';
import { fileError, readConfig } from './config-file.ts';
import type { Session } from './session.ts';

/** Options of `peer init`, and of `peer join` where there is no box yet. */
export interface InitOptions {
  name?: string | undefined;
  meshListen?: string | undefined;
  dnsListen?: string | undefined;
  smtpListen?: string | undefined;
  httpListen?: string | undefined;
}

function listenOption(option: string, text: string): string[] {
  const read = readListenOption(text);
  if (read.kind === 'addresses') return read.addresses;
  throw new CommandError(ExitCode.usage, `${option}: ${read.why}`);
}

const toAddresses = (texts: readonly string[]): HostPort[] =>
  texts.flatMap((text) => {
    const address = parseHostPort(text);
    return address ? [address] : [];
  });

/** Leaves out what the machine cannot listen on, after asking; the mesh is needed and therefore an error. */
async function freeAddresses(
  session: Session,
  what: { option: string; texts: string[]; transport: 'tcp' | 'udp-and-tcp'; without: string | undefined },
): Promise<string[]> {
  const obstacle = await obstacleOf(toAddresses(what.texts), what.transport);
  if (!obstacle) return what.texts;
  const reason = listenReasons[obstacle.code] ?? obstacle.code;
  const problem = `cannot listen on ${formatHostPort(obstacle.address)}: ${reason}`;
  const otherwise = `give another address: ${what.option} A:P`;
  if (what.without === undefined)
    throw new CommandError(ExitCode.configuration, problem, { hint: otherwise });
  session.say(`peer: ${problem}`);
  if (await session.confirm(`Go on without it? Then ${what.without}.`, otherwise)) {
    session.say(`peer: ${what.option} is left out (listen = []): ${what.without}`);
    return [];
  }
  throw new CommandError(ExitCode.no, 'nothing was changed', { hint: otherwise });
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw fileError(path, 'read', error);
  }
}

/** A first name to propose: what the machine is called, as far as it is a name. */
function nameOfMachine(): string | undefined {
  const label = hostname().toLowerCase().split('.')[0]?.slice(0, 32) ?? '';
  return isName(label) ? label : undefined;
}

async function chooseName(session: Session, given: string | undefined): Promise<string> {
  const name =
    given ??
    (await session.question('What is this box called?', {
      instead: 'add --name NAME',
      otherwise: nameOfMachine(),
    }));
  if (isName(name)) return name;
  throw new CommandError(
    ExitCode.usage,
    `"${name}" is no name: a-z, 0-9 and -, 1 to 32 characters, no - at either end`,
  );
}

async function writeNew(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o640);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw fileError(path, 'write', cause);
  }
}

/** A folder for this user only; one that is there keeps its permissions. */
async function makeFolder(path: string): Promise<void> {
  const mode = 0o700;
  try {
    const made = await mkdir(path, { recursive: true, mode });
    if (made !== undefined) await chmod(path, mode);
  } catch (cause) {
    throw fileError(path, 'write', cause);
  }
}

/** The text of a first `peer.toml` for addresses that are free on this machine. */
async function firstConfig(session: Session, name: string, options: InitOptions): Promise<string> {
  const mesh = listenOption('--mesh-listen', options.meshListen ?? '0.0.0.0:4853');
  if (mesh.length === 0)
    throw new CommandError(ExitCode.usage, '--mesh-listen: a box needs one address for its friends');
  const chosen = {
    name,
    meshListen: await freeAddresses(session, {
      option: '--mesh-listen',
      texts: mesh,
      transport: 'tcp',
      without: undefined,
    }),
    dnsListen: await freeAddresses(session, {
      option: '--dns-listen',
      texts: listenOption('--dns-listen', options.dnsListen ?? '0.0.0.0:53,[::]:53'),
      transport: 'udp-and-tcp',
      without: 'this box answers no DNS queries',
    }),
    smtpListen: await freeAddresses(session, {
      option: '--smtp-listen',
      texts: listenOption('--smtp-listen', options.smtpListen ?? '0.0.0.0:25'),
      transport: 'tcp',
      without: 'this box takes no mail for friends',
    }),
    httpListen: await freeAddresses(session, {
      option: '--http-listen',
      texts: listenOption('--http-listen', options.httpListen ?? '127.0.0.1:8853'),
      transport: 'tcp',
      without: 'this box has no status page',
    }),
  };
  const { formatProblems, initialConfig, parseConfig } = await import('@copain/agent');
  const text = initialConfig(chosen);
  const parsed = parseConfig(text, { fileName: 'peer.toml' });
  if (parsed.kind === 'ok') return text;
  throw new CommandError(
    ExitCode.usage,
    `these options make no good peer.toml:\n${formatProblems(parsed.problems)}`,
  );
}

/**
 * `peer init`: checks the machine, then writes `peer.toml` and makes the keys. Refuses (73) where there is a box; where
 * a `peer.toml` for this name lies without keys (an init that was interrupted, or a file put there by hand), it is kept
 * and gets its keys.
 */
export async function init(session: Session, options: InitOptions): Promise<void> {
  const { configFile, stateDir } = session.paths;
  const hasConfig = await exists(configFile);
  if (hasConfig && (await exists(join(stateDir, 'owner.record'))))
    throw new CommandError(ExitCode.cannotWrite, `there is a box already: ${configFile}`, {
      hint: 'peer up, or --home DIR for another box',
    });
  const name = await chooseName(session, options.name);
  if (hasConfig && (await readConfig(configFile)).name !== name)
    throw new CommandError(ExitCode.cannotWrite, `${configFile} is there already, for a box of another name`);

  const text = hasConfig ? undefined : await firstConfig(session, name, options);
  await makeFolder(dirname(configFile));
  await makeFolder(stateDir);
  if (text !== undefined) await writeNew(configFile, text);
  const { createIdentity } = await import('@copain/agent/io');
  let made: { paperKey: string; ownerId: string; boxId: string };
  try {
    made = await createIdentity({ stateDir, name });
  } catch (error) {
    if (text !== undefined) await rm(configFile, { force: true });
    throw error;
  }
  const { paperKey, ownerId, boxId } = made;
  session.answer(
    'init',
    { name, ownerId, boxId, paperKey, configFile, stateDir },
    `This box is called ${name}.

Paper key, shown only now. Write it down and keep it away from this box;
it brings your box back when everything else is lost:

  ${paperKey}

configuration  ${configFile}
state          ${stateDir}

Next:
  peer up             run the agent
  peer invite NAME    ask a friend in, or: peer join, when you were asked
`,
  );
}
