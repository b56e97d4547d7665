import { readFile, stat } from 'node:fs/promises';
import {
  type Clock,
  CommandError,
  ExitCode,
  formatHostPort,
  type HostPort,
  isLoopback,
  type Table,
  toHex,
} from '@copain/core';
import {
  type Asker,
  buildCatalog,
  type CatalogMember,
  catalogName,
  encodeZone,
  formatBase64,
  formatProblem,
  journalZones,
  keyToName,
  type MessageSource,
  type NameKey,
  type NotifyInput,
  nameKey,
  nameOf,
  nameToText,
  nextCatalogSerial,
  parseTsigKeyFile,
  rcodeToText,
  type ServedZone,
  soaOf,
  startNotifyState,
  stepNotify,
  type TransferFact,
  type TransferKind,
  TransferOut,
  type TransferPeer,
  tsigKeyFileExample,
  type Zone,
  type ZoneJournal,
  zoneKey,
} from '@copain/dns';
import { addressFor, type NotifySender, sha256, startNotifySender, tsigCrypto } from '@copain/dns/io';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import type { Logger } from 'pino';
import { besideConfig } from '../config-paths.ts';
import type { Config } from '../config-schema.ts';
import type { EventLog } from './event-log.ts';

/** Zones as they are answered from this instant on. */
interface ServedNow {
  zones: readonly ServedZone[];
  ownerOf: ReadonlyMap<NameKey, string>;
  /** To be served, and not here yet. */
  awaited: ReadonlySet<NameKey>;
}

/** What the configuration of a server that transfers our zones has to say. */
interface ServeWith {
  /** Where `[dns] transfer` says that server is. */
  peer: HostPort;
  /** Where he reaches us, and NOTIFYs come from. */
  primary: HostPort;
  key: { name: string; algorithm: string; secret: string } | undefined;
  catalog: string;
  zones: string[];
}

/** Zone transfers to the servers of `[dns] transfer`, NOTIFY and a catalog for them. */
export interface Transfers extends AsyncDisposable {
  /** Is this the address of one of them? Then `answer` answers his queries. */
  concerns(address: string): boolean;
  answer(query: Uint8Array, asker: Asker): Uint8Array | MessageSource | undefined;
  zonesChanged(now: ServedNow): void;
  /** Begins to send NOTIFY, once queries are answered at these addresses. */
  begin(addresses: () => readonly HostPort[]): Promise<void>;
  /** Every second. */
  tick: () => void;
  counts: () => { kind: TransferKind; count: number }[];
  serveWith: () => ServeWith[];
}

const catalogRow = 'catalog-zone';

/** Reads the keys. Rejects with a CommandError (78) that names file, line and column where one is not right. */
export async function startTransfers(options: {
  transfer: Config['dns']['transfer'];
  configFile: string;
  /** Of this box: the catalog is called after it. */
  boxName: string;
  ownerId: string;
  table: Table;
  clock: Clock;
  /** What is no matter of transfers. */
  answer(query: Uint8Array, asker: Asker): Uint8Array | undefined;
  events: EventLog;
  log: Logger;
}): Promise<Transfers> {
  const { clock, events, log, table } = options;
  const peers = await Promise.all(
    options.transfer.map(async ({ address, tsigFile }): Promise<TransferPeer> => {
      const key = tsigFile === undefined ? undefined : await readKey(options, tsigFile);
      return { address: { ...address, host: plainAddress(address.host) }, key };
    }),
  );
  const catalogText = catalogName(options.boxName);
  const catalogOrigin = nameOf(catalogText);
  const catalogKey = nameKey(catalogOrigin);
  const counts = new Map<TransferKind, number>();
  const silent = new Set<number>();
  let now: ServedNow = { zones: [], ownerOf: new Map(), awaited: new Set() };
  let journal: ZoneJournal = new Map();
  let catalog: Zone | undefined;
  let notify = startNotifyState(peers.length);
  let sender: NotifySender | undefined;
  let addresses: () => readonly HostPort[] = () => [];
  let disposed = false;

  const textOf = (origin: NameKey): string => nameToText(keyToName(origin)).replace(/(?<=.)\.$/, '');
  const peerText = (peer: number): string => formatHostPort(peers[peer]?.address ?? { host: '', port: 0 });

  const noted = ({ peer, origin, how, fromSerial, serial }: TransferFact): void => {
    counts.set(how, (counts.get(how) ?? 0) + 1);
    const fact = { peer, zone: textOf(origin), how, fromSerial, serial };
    if (how === 'axfr' || how === 'ixfr') log.info(fact, 'a zone was transferred');
    else if (how === 'current') log.debug(fact, 'a transfer was not needed');
    else log.warn(fact, 'a transfer was not done');
  };

  const out = new TransferOut({
    peers,
    crypto: tsigCrypto,
    find: (origin) => {
      if (now.awaited.has(origin)) return 'awaited';
      const isExpired = now.zones.some(({ zone, expired }) => expired && zone.originKey === origin);
      return isExpired ? 'expired' : journal.get(origin);
    },
    isHidden: (origin) => origin === catalogKey,
    answer: (query, asker) => options.answer(query, asker),
    noted,
  });

  const step = (input: NotifyInput): void => {
    if (sender === undefined || disposed) return;
    const [next, effects] = stepNotify(notify, input, clock.nowMs());
    notify = next;
    for (const effect of effects) {
      const { peer, origin } = effect;
      switch (effect.kind) {
        case 'send': {
          const zone = journal.get(origin)?.zone;
          if (zone !== undefined)
            sender.send({ peer, soa: soaOf(zone), token: `${effect.serial} ${origin}` });
          break;
        }
        case 'silent':
          if (silent.has(peer)) break;
          silent.add(peer);
          events.add(
            'transfer.silent',
            `${peerText(peer)} does not answer NOTIFY for ${textOf(origin)}: it goes on being told.`,
          );
          break;
        case 'refused':
          log.warn(
            { peer: peerText(peer), zone: textOf(origin), rcode: rcodeToText(effect.rcode) },
            'a server does not take our NOTIFY: is the zone in its configuration, and the key the same?',
          );
          break;
      }
    }
  };

  const apply = (): void => {
    const zones = [...now.zones.map(({ zone }) => zone), ...(catalog === undefined ? [] : [catalog])];
    journal = journalZones(journal, zones);
    step({
      kind: 'zones',
      serials: new Map([...journal].map(([origin, { zone }]) => [origin, zone.serial])),
    });
  };

  /** A new serial is on disk before anybody sees it, so that it never goes back. */
  const renewCatalog = async (): Promise<void> => {
    const members = membersOf(now, options.ownerId);
    const make = (serial: number): Zone => buildCatalog({ name: catalogOrigin, serial, members, sha256 });
    const contentHash = sha256(encodeZone(make(0)));
    const stored = await readCatalogRow(table);
    let serial = stored?.serial;
    if (stored === undefined || serial === undefined || toHex(stored.contentHash) !== toHex(contentHash)) {
      serial = nextCatalogSerial(stored?.serial, clock.nowMs());
      await table.write([{ key: catalogRow, value: encodeCanonical({ serial, content: contentHash }) }]);
    }
    if (catalog?.serial === serial) return;
    catalog = make(serial);
    apply();
  };
  let renewing: Promise<void> = Promise.resolve();

  return {
    concerns: (address) => out.concerns(address),
    answer: (query, asker) => out.answer(query, asker),
    zonesChanged: (next) => {
      if (peers.length === 0) return;
      now = next;
      apply();
      renewing = renewing.then(renewCatalog).catch((error: unknown) => {
        if (!disposed) log.error({ err: error }, 'the catalog could not be renewed');
      });
    },
    begin: async (listening) => {
      if (peers.length === 0) return;
      addresses = listening;
      sender = await startNotifySender({
        peers,
        from: ({ address }) => addressFor(address, listening(), isLoopback)?.host,
        answered: ({ peer, token, rcode }) => {
          silent.delete(peer);
          const [serial = '', ...origin] = token.split(' ');
          step({ kind: 'answered', peer, origin: origin.join(' '), serial: Number(serial), rcode });
        },
        failed: ({ cause }) => log.warn({ err: cause }, 'NOTIFY'),
      });
      apply();
    },
    tick: () => step({ kind: 'tick' }),
    counts: () => [...counts].map(([kind, count]) => ({ kind, count })),
    serveWith: () =>
      peers.map(({ address, key }) => ({
        peer: address,
        primary: addressFor(address, addresses(), isLoopback) ?? { host: '127.0.0.1', port: 53 },
        key: key && {
          name: nameToText(key.name).replace(/\.$/, ''),
          algorithm: key.algorithm,
          secret: formatBase64(key.secret),
        },
        catalog: catalogText,
        zones: [...new Set(now.zones.map(({ zone }) => textOf(zone.originKey)))].sort(),
      })),
    [Symbol.asyncDispose]: async () => {
      disposed = true;
      await renewing;
      await sender?.[Symbol.asyncDispose]();
    },
  };
}

/** Each origin once: where two owners claim it, the zone that is answered is the last. */
function membersOf({ zones, ownerOf }: ServedNow, ownerId: string): CatalogMember[] {
  const members = new Map<NameKey, CatalogMember>();
  for (const { zone } of zones) {
    const owner = ownerOf.get(zone.originKey) ?? ownerId;
    const group = owner === ownerId ? 'own' : 'friend';
    members.set(zone.originKey, {
      key: zoneKey({ owner, origin: zone.origin }),
      origin: keyToName(zone.originKey),
      group,
    });
  }
  return [...members.values()];
}

async function readCatalogRow(
  table: Table,
): Promise<{ serial: number; contentHash: Uint8Array } | undefined> {
  const stored = await table.get(catalogRow);
  if (stored === undefined) return undefined;
  const fields = readFields(decodeCanonical(stored, 256));
  const serial = fields.integer('serial', 0, 0xffffffff);
  const contentHash = fields.bytes('content', 32, 32);
  return fields.ok ? { serial, contentHash } : undefined;
}

/** An address as sockets write it, so that `0:0:0:0:0:0:0:1` is `::1`. */
function plainAddress(host: string): string {
  return host.includes(':') ? new URL(`http://[${host}]/`).hostname.slice(1, -1) : host;
}

async function readKey(
  { configFile, log }: { configFile: string; log: Logger },
  file: string,
): Promise<TransferPeer['key']> {
  const path = besideConfig(configFile, file);
  const text = await readFile(path, 'latin1').catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(ExitCode.configuration, `[dns] transfer: the key cannot be read: ${why}`, {
      hint: `make one with: tsig-keygen NAME > ${path}; it looks like: ${tsigKeyFileExample}`,
      cause,
    });
  });
  const read = parseTsigKeyFile({ text, file: path });
  if (read.kind === 'problem') throw new CommandError(ExitCode.configuration, formatProblem(read.problem));
  if (((await stat(path)).mode & 0o004) !== 0)
    log.warn({ file: path }, 'everybody on this machine may read this key: chmod o-r');
  return read.key;
}
