import { join } from 'node:path';
import { type Clock, CommandError, ExitCode, type Files, type Random, type Table } from '@copain/core';
import type { Fact } from '@copain/mesh';
import { type IndexFound, makeFolder, openFiles, openIndexTable, openTable } from '@copain/store/io';
import type { Logger } from 'pino';
import { addressText } from '../address-text.ts';
import type { HomePaths } from '../config-paths.ts';
import type { Config } from '../config-schema.ts';
import type { FaultHistory } from '../fault.ts';
import { foundText } from '../found-text.ts';
import type { Knowledge, KnownRecord } from '../known-records.ts';
import type { RoomCall } from '../wiring.ts';
import { ballastBytes, freeBytes, giveUpBallast, keepBallast } from './ballast.ts';
import { type ChangeSignal, changeSignal } from './change-signal.ts';
import { type Commitments, openCommitments } from './commitments.ts';
import { type EventLog, openEventLog } from './event-log.ts';
import type { Identity } from './identity.ts';
import { type OwnRecords, ownRecords } from './own-records.ts';
import { type PeerNames, peerNames } from './peer-names.ts';
import { openPublicAddress, type PublicAddress } from './public-address.ts';
import { openRecordStore, type RecordStore } from './record-store.ts';
import { countRefusals, type Refusals } from './refusals.ts';
import { openStanding, type Standing } from './standing.ts';

/** What every room of this box stands on: who it is, its configuration, its records, its disk, and what it tells. */
export interface Box {
  identity: Identity;
  paths: HomePaths;
  version: string;
  log: Logger;
  clock: Clock;
  random: Random;
  startedAtMs: number;
  /** The faults after which this process started the box again. */
  faults: FaultHistory | undefined;
  /** As it is now; a reload changes it. */
  config: () => Config;
  stopping: AbortSignal;
  /** Logs what failed, except while the box stops and everything fails. */
  failed: (what: string) => (error: unknown) => void;
  changes: ChangeSignal;
  events: EventLog;
  table: Table;
  zoneFiles: Files;
  commitments: Commitments;
  refusals: Refusals;
  records: RecordStore;
  knowledge: () => Knowledge;
  names: PeerNames;
  standing: Standing;
  own: OwnRecords;
  /** The public addresses of this box that count. */
  publicAddress: PublicAddress;
  /** Every box of the circle but this one, our owner's others among them; none where this box knows that it is out. */
  friendBoxes: () => string[];
  /** The disk is all but full: no mail is held for friends. */
  isDiskLow: () => boolean;
  /** A folder of the state. */
  folder: (name: string) => string;
  openTable: (name: string) => Promise<Table>;
  /** A table that is an index of other files: where it is damaged it is repaired, or begins empty. */
  openIndex: (name: string) => Promise<{ table: Table; found: IndexFound; setAside: string | undefined }>;
}

/**
 * Opens the state of a box and all that is known from it, before any room runs. Called by `startAgent`; everything that
 * has to be closed again is on `starting`. Rejects where a file of the state cannot be read.
 */
export async function openBox(
  options: Pick<
    Box,
    'identity' | 'paths' | 'version' | 'log' | 'clock' | 'random' | 'config' | 'stopping' | 'faults'
  > & {
    starting: AsyncDisposableStack;
    /** A record became known; `calls` are the rooms that it concerns. */
    onRecord(calls: readonly RoomCall[], record: KnownRecord, fact: Fact): void;
    /** Ask this friend what he ever saw of ours, or tell him about this start. */
    doubted(friend: string): void;
    greet(friend: string): void;
    /** Another public address counts from now on: names may follow it. */
    addressChanged(): void;
  },
): Promise<Box> {
  const { identity, paths, log, clock, config, stopping, starting } = options;
  const self = identity.box.peer;
  const changes = changeSignal();
  const failed = (what: string) => (error: unknown) => {
    if (!stopping.aborted) log.error({ err: error }, what);
  };
  const folder = (name: string): string => join(paths.stateDir, name);
  // The disk is rotting: what is lost comes back from friends or from other files, but somebody should look.
  const damaged = (name: string) => (key: string) =>
    log.error({ table: name, key }, 'a stored row is damaged and was left out');
  const cannotOpen = (name: string, cause: unknown): CommandError =>
    new CommandError(ExitCode.cannotWrite, `cannot open ${folder(name)}`, {
      hint: 'is the disk full? make some room (df), or put the state back from a backup: peer restore',
      cause,
    });
  const openClosing = async (name: string): Promise<Table> => {
    try {
      return closing(starting, await openTable(folder(name), { damaged: damaged(name) }));
    } catch (error) {
      throw cannotOpen(name, error);
    }
  };
  const openIndex: Box['openIndex'] = async (name) => {
    try {
      // On a disk that is all but full it is not the index that is at fault, and a repair needs room as well.
      const mayRepair = async (): Promise<boolean> => (await freeBytes(paths.stateDir)) >= ballastBytes;
      const index = await openIndexTable(folder(name), { damaged: damaged(name), mayRepair });
      closing(starting, index.table);
      return index;
    } catch (error) {
      throw cannotOpen(name, error);
    }
  };

  const gaveUp = await giveUpBallast(paths.stateDir);
  await makeFolder(folder('mail'));
  const table = await openClosing('db');
  const events = starting.use(
    await openEventLog({
      table,
      clock,
      onAdd: ({ kind, text }) => {
        log.info({ event: kind }, text);
        changes.note();
      },
      failed: failed('writing events'),
    }),
  );
  if (gaveUp)
    events.add(
      'box.disk-full',
      `The disk is full: ${paths.stateDir} gave up its reserve to start. Make room.`,
    );
  let isDiskLow = false;
  starting.use(
    keepBallast(paths.stateDir, {
      changed: (low) => {
        isDiskLow = low;
        if (!low) events.add('box.disk-ok', 'The disk has room again.');
        else
          events.add(
            'box.disk-low',
            'The disk is all but full: no mail is held for friends until there is room.',
          );
      },
      failed: failed('keeping a reserve on the disk'),
    }),
  );
  const zoneFiles = await openFiles(folder('zones'));
  const commitments = await openCommitments(table);

  const refusals = countRefusals(clock, log);
  const records = await openRecordStore({
    table,
    clock,
    key: identity.box,
    ownerId: identity.ownerId,
    onChange: (calls, record, fact) => options.onRecord(calls, record, fact),
    events: {
      refused: (kind, signer, why) => refusals.record(kind, signer, why),
      damaged: (key) =>
        refusals.count('serve', { key }, 'a stored record was left out; friends will bring it again'),
    },
  });
  const publicAddress = await openPublicAddress({
    table,
    clock,
    changed: (change) => {
      events.add('address.agreed', addressText(change));
      options.addressChanged();
    },
    failed: failed('keeping the own address'),
  });
  const names = peerNames(identity, records, () => config().name);
  const friendBoxes = (): string[] => {
    // Straight from the roster, so that a friend is one from the very record that made him one.
    const { ownerOf } = records.knowledge().roster;
    return ownerOf.has(self) ? [...ownerOf.keys()].filter((peer) => peer !== self) : [];
  };
  const standing = await openStanding({
    table,
    clock,
    friends: friendBoxes(),
    doubted: (friend) => options.doubted(friend),
    greet: (friend) => options.greet(friend),
    found: ({ kind, by }) => events.add(`box.${kind}`, foundText(kind, names.ofPeer(by))),
    changed: changes.note,
    failed: failed('keeping what friends say of this box'),
  });

  return {
    identity,
    paths,
    version: options.version,
    log,
    clock,
    random: options.random,
    startedAtMs: clock.nowMs(),
    faults: options.faults,
    config,
    stopping,
    failed,
    changes,
    events,
    table,
    zoneFiles,
    commitments,
    refusals,
    records,
    knowledge: () => records.knowledge(),
    names,
    standing,
    own: ownRecords(identity, records, standing),
    publicAddress,
    friendBoxes,
    isDiskLow: () => isDiskLow,
    folder,
    openTable: openClosing,
    openIndex,
  };
}

/** Has a store closed together with everything else. */
export function closing<T extends { close(): Promise<void> }>(stack: AsyncDisposableStack, store: T): T {
  stack.defer(() => store.close());
  return store;
}
