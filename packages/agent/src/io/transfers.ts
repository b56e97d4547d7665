import { type Clock, formatHostPort, type HostPort, isLoopback, type Table } from '@copain/core';
import {
  type Asker,
  formatBase64,
  keyToName,
  type MessageSource,
  type NameKey,
  type NotifyEffect,
  type NotifyInput,
  nameToText,
  rcodeToText,
  type ServedZone,
  soaOf,
  startNotifyState,
  stepNotify,
  type TransferFact,
  type TransferKind,
  TransferOut,
  type TransferPeer,
  tsigErrorToText,
} from '@copain/dns';
import { addressFor, type NotifySender, startNotifySender, tsigCrypto } from '@copain/dns/io';
import type { Logger } from 'pino';
import { besideConfig } from '../config-paths.ts';
import type { Config } from '../config-schema.ts';
import { badSignatureText, refusedNotifyText, type ToldTroubles, tellTrouble } from '../transfer-trouble.ts';
import type { EventLog } from './event-log.ts';
import { plainAddress } from './plain-address.ts';
import { transferCatalog } from './transfer-catalog.ts';
import { openTransferJournal, type ZoneOfContent } from './transfer-journal.ts';
import { mustReadTsigFile } from './tsig-file.ts';

/** Zones as they are answered from this instant on. */
interface ServedNow {
  zones: readonly (ServedZone & ZoneOfContent)[];
  /** All zones that this box is to serve, those that are not here yet too; undefined while that is not known. */
  ownerOf: ReadonlyMap<NameKey, string> | undefined;
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
      const key =
        tsigFile === undefined
          ? undefined
          : await mustReadTsigFile(besideConfig(options.configFile, tsigFile), {
              log,
              neededBy: '[dns] transfer',
            });
      return { address: { ...address, host: plainAddress(address.host) }, key };
    }),
  );
  const catalog = transferCatalog(options);
  const journal = await openTransferJournal({
    table,
    failed: (error) => log.warn({ err: error }, 'changes could not be kept for IXFR after a restart'),
  });
  const counts = new Map<TransferKind, number>();
  let now: ServedNow = { zones: [], ownerOf: undefined, awaited: new Set() };
  let notify = startNotifyState(peers.length);
  let sender: NotifySender | undefined;
  let addresses: () => readonly HostPort[] = () => [];
  let told: ToldTroubles = new Map();
  let disposed = false;

  const textOf = (origin: NameKey): string => nameToText(keyToName(origin)).replace(/(?<=.)\.$/, '');
  const peerText = (peer: number): string => formatHostPort(peers[peer]?.address ?? { host: '', port: 0 });

  /** An event, unless it was told within the hour. */
  const tell = (about: string, kind: string, text: string): void => {
    const next = tellTrouble(told, about, clock.nowMs());
    if (next === undefined) return;
    told = next;
    events.add(kind, text);
  };

  const noted = ({ peer, origin, how, fromSerial, serial, tsig }: TransferFact): void => {
    counts.set(how, (counts.get(how) ?? 0) + 1);
    const error = tsig && tsigErrorToText(tsig.error);
    const fact = { peer, zone: textOf(origin), how, fromSerial, serial, error };
    if (how === 'axfr' || how === 'ixfr') log.info(fact, 'a zone was transferred');
    else if (how === 'current') log.debug(fact, 'a transfer was not needed');
    else log.warn(fact, 'a transfer was not done');
    if (tsig === undefined) return;
    const { keyName, aheadS } = tsig;
    const key = nameToText(keyName).replace(/(?<=.)\.$/, '');
    tell(
      `signature ${peer} ${error}`,
      'transfer.signature',
      badSignatureText({ peer, key, error: tsigErrorToText(tsig.error), aheadS }),
    );
  };

  const out = new TransferOut({
    peers,
    crypto: tsigCrypto,
    find: (origin) => {
      if (now.awaited.has(origin)) return 'awaited';
      const isExpired = now.zones.some(({ zone, expired }) => expired && zone.originKey === origin);
      return isExpired ? 'expired' : journal.zones().get(origin);
    },
    isHidden: (origin) => origin === catalog.key,
    answer: (query, asker) => options.answer(query, asker),
    noted,
  });

  const act = (effect: NotifyEffect): void => {
    const peer = peerText(effect.peer);
    switch (effect.kind) {
      case 'send': {
        const zone = journal.zones().get(effect.origin)?.zone;
        const token = `${effect.serial} ${effect.origin}`;
        if (zone !== undefined) sender?.send({ peer: effect.peer, soa: soaOf(zone), token });
        break;
      }
      case 'silent':
        tell(
          `silent ${peer}`,
          'transfer.silent',
          `${peer} does not answer NOTIFY for ${textOf(effect.origin)}: it is asked every minute.`,
        );
        break;
      case 'back':
        log.info({ peer }, 'a server answers NOTIFY again');
        break;
      case 'refused': {
        const refusal = { peer, zone: textOf(effect.origin), rcode: rcodeToText(effect.rcode) };
        log.warn(
          refusal,
          'a server does not take our NOTIFY: is the zone in its configuration, and the key the same?',
        );
        // A server that takes no catalog says no to it for good; that is its owner's choice.
        if (effect.origin !== catalog.key)
          tell(`refused ${peer}`, 'transfer.refused', refusedNotifyText(refusal));
        break;
      }
    }
  };
  const step = (input: NotifyInput): void => {
    if (sender === undefined || disposed) return;
    const [next, effects] = stepNotify(notify, input, clock.nowMs());
    notify = next;
    for (const effect of effects) act(effect);
  };

  const apply = (): void => {
    const made = catalog.current();
    journal.serve([...now.zones, ...(made === undefined ? [] : [made])]);
    step({
      kind: 'zones',
      serials: new Map([...journal.zones()].map(([origin, { zone }]) => [origin, zone.serial])),
    });
  };
  const renewCatalog = async (): Promise<void> => {
    // Before all zones are known a catalog would lack some, and servers would drop those.
    if (now.ownerOf !== undefined && (await catalog.renew(now.ownerOf))) apply();
  };
  let renewing: Promise<void> = Promise.resolve();

  return {
    concerns: (address) => out.concerns(address),
    answer: (query, asker) => out.answer(query, asker),
    zonesChanged: (next) => {
      if (peers.length === 0 || disposed) return;
      now = next;
      apply();
      // Of hundreds of zones that are opened one after the other the last says them all.
      const renew = async (): Promise<void> => await (now === next ? renewCatalog() : undefined);
      renewing = renewing.then(renew).catch((error: unknown) => {
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
        catalog: catalog.name,
        zones: [...new Set(now.zones.map(({ zone }) => textOf(zone.originKey)))].sort(),
      })),
    [Symbol.asyncDispose]: async () => {
      disposed = true;
      await renewing;
      await journal[Symbol.asyncDispose]();
      await sender?.[Symbol.asyncDispose]();
    },
  };
}
