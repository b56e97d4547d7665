import { open, readFile } from 'node:fs/promises';
import { arch, release, type as systemName, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { CommandError, isoTime, visibleJson } from '@copain/core';
import type { StatusDocument } from '@copain/status';
import { namesInEvents, redactConfig, redactDocument, redactor } from '../redact.ts';
import { fileError } from './config-file.ts';
import type { Session } from './session.ts';

/** What is asked of the agent; nothing of it asks anybody else or changes anything. */
const questions = ['address.show', 'alerts.list', 'service.list', 'doctor.disk'] as const;

/** An answer, or why there is none: a report about an agent that does not run is one too. */
async function asked(session: Session, command: string): Promise<unknown> {
  try {
    return await session.ask(command, {}, { silenceMs: 60_000 });
  } catch (error) {
    if (error instanceof CommandError) return { failed: error.message, exit: error.exit };
    throw error;
  }
}

/** What `peer.toml` says, as it is; or why that cannot be told. */
async function configuration(session: Session): Promise<{ value: unknown } | { failed: string }> {
  const { readToml } = await import('@copain/agent');
  let text: string;
  try {
    text = await readFile(session.paths.configFile, 'utf8');
  } catch (error) {
    return { failed: (error as NodeJS.ErrnoException).code ?? 'it cannot be read' };
  }
  const read = readToml(text);
  return read.kind === 'read' ? { value: read.value } : { failed: read.message };
}

const nameIn = (config: { value: unknown } | { failed: string }): string => {
  const name = 'value' in config ? (config.value as Record<string, unknown> | undefined)?.name : undefined;
  return typeof name === 'string' ? name : '';
};

/** Everybody that this box remembers something of: events tell of friends who are in the circle no more. */
async function pastNames(session: Session): Promise<string[]> {
  const events: { kind: string; text: string }[] = [];
  const onItem = (item: unknown): unknown => events.push(item as { kind: string; text: string });
  try {
    await session.ask('events', {}, { onItem });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
  }
  return namesInEvents(events);
}

/**
 * `peer report [--out FILE]`: what somebody who looks for a fault wants to know of this box, with placeholders for names,
 * addresses and places. FILE must not be there yet.
 */
export async function report(session: Session, options: { out?: string | undefined }): Promise<void> {
  const config = await configuration(session);
  const status = await asked(session, 'status');
  const isRunning = typeof status === 'object' && status !== null && 'friends' in status;
  const known = isRunning ? (status as StatusDocument) : undefined;
  const redact = redactor({
    own: known?.name ?? nameIn(config),
    friends: [
      ...(isRunning ? await pastNames(session) : []),
      ...(known?.friends ?? []).flatMap(({ name, boxes }) => [name, ...boxes.map((box) => box.name)]),
      ...(known?.services ?? []).map(({ service }) => service).filter((service) => !ownServices.has(service)),
    ],
  });
  const answers: Record<string, unknown> = {};
  for (const question of questions) if (isRunning) answers[question] = await asked(session, question);
  const document = {
    at: isoTime(Date.now()),
    version: session.world.version,
    node: process.versions.node,
    system: `${systemName()} ${release()} ${arch()}`,
    memoryBytes: totalmem(),
    config: 'value' in config ? redactConfig(config.value, redact) : { failed: redact(config.failed) },
    status: redactDocument(status, redact),
    ...(redactDocument(answers, redact) as Record<string, unknown>),
  };
  const text = `${visibleJson(JSON.stringify({ schema: 'peer.report/1', ...document }, null, 2))}\n`;
  if (options.out === undefined) {
    session.answer('report', document, text);
    return;
  }
  const path = resolve(session.world.cwd, options.out);
  await writeNew(path, text);
  const hint = 'names, addresses and places are replaced; look through it before you give it away';
  session.answer('report.file', { file: path }, `${path}: ${hint}\n`);
}

/** Services that every circle has. */
const ownServices = new Set(['smtp', 'backup-mx', 'dns']);

async function writeNew(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(path, 'write', error);
  }
}
