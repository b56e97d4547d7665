import { readFile } from 'node:fs/promises';
import { equalBytes } from '@copain/core';
import { nameOf } from '@copain/dns';
import { encodeServicesRecord, type ServicesRecord } from '@copain/trust';
import { serviceZone } from '../config-across.ts';
import { besideConfig } from '../config-paths.ts';
import type { ServiceConfig } from '../config-service.ts';
import {
  nextServices,
  type ServiceChange,
  standbySets,
  type WantedService,
  wantedService,
} from '../own-services.ts';
import { readSignedStandby } from '../signed-standby.ts';
import type { Identity } from './identity.ts';
import type { RecordStore } from './record-store.ts';
import type { Standing } from './standing.ts';

/** Signs what this box's owner says of his services. */
export interface OwnServices {
  /** The services as they are configured now; resolves when friends will hear of it. */
  configure(services: readonly ServiceConfig[], origins: readonly string[]): Promise<void>;
  /** Changes numbers or rehearsals. */
  change(change: Omit<ServiceChange, 'inForce'>): Promise<void>;
}

/** Nothing is signed before the box may sign; then what is wanted by then. One at a time. */
export function ownServices(options: {
  configFile: string;
  identity: Identity;
  records: RecordStore;
  standing: Pick<Standing, 'maySign' | 'whenSignable'>;
  /** The transition that is in force of each service of ours, by name. */
  inForce(): ReadonlyMap<string, number>;
  /** Who is called so; undefined: nobody. */
  ownerNamed: (name: string) => string | undefined;
  noted: (text: string) => void;
  failed: (error: unknown) => void;
}): OwnServices {
  const { identity, records, standing } = options;
  const self = identity.box.peer;
  let queue: Promise<unknown> = Promise.resolve();
  let wanted: (() => Promise<WantedService[]>) | undefined;
  let isWaiting = false;

  const lastSaid = (): ServicesRecord | undefined => {
    const known = records.knowledge().records.get(`services/${self}`);
    return known?.kind === 'services' ? known.signed.record : undefined;
  };
  const say = async (change: Omit<ServiceChange, 'inForce'>): Promise<void> => {
    if (wanted === undefined) return;
    if (!standing.maySign()) {
      isWaiting = true;
      return;
    }
    if (records.knowledge().roster.ownerOf.get(self) !== identity.ownerId) return;
    const services = await wanted();
    const last = lastSaid() ?? { sequence: 0, services: [], ended: [] };
    const next = nextServices(last, services, { ...change, inForce: options.inForce() });
    const isSame = equalBytes(encodeServicesRecord({ ...last, ...next }), encodeServicesRecord(last));
    if (isSame) return;
    await records.publish('services', encodeServicesRecord({ ...next, sequence: last.sequence + 1 }));
  };
  const inTurn = async (change: Omit<ServiceChange, 'inForce'>): Promise<void> => {
    const turn = queue.then(async () => await say(change));
    queue = turn.catch(() => undefined);
    await turn;
  };
  standing.whenSignable(() => {
    if (isWaiting) inTurn({}).catch(options.failed);
    isWaiting = false;
  });

  const told = new Set<string>();
  const note = (text: string): void => {
    if (!told.has(text)) options.noted(text);
    told.add(text);
  };
  /** What is answered then, with the signatures that are in the file now. Where that is no use, what was said before. */
  const answerOf = async (
    config: ServiceConfig,
    zone: string,
  ): Promise<Pick<WantedService, 'sets' | 'ttlS'> | undefined> => {
    const bare = { sets: standbySets(config.standby), ttlS: config.ttlS };
    if (config.signedFile === undefined) return bare;
    const file = besideConfig(options.configFile, config.signedFile);
    const found = await readFile(file, 'latin1').then(
      (text) =>
        readSignedStandby(
          { text, file },
          { origin: nameOf(zone), record: nameOf(config.record), wanted: bare.sets, ttlS: bare.ttlS },
        ),
      (error: unknown) => ({ kind: 'problem' as const, text: String(error) }),
    );
    if (found.kind === 'sets') return found;
    note(`The service ${config.name} stays as it was: ${found.text}`);
    return lastSaid()?.services.find(({ name }) => name === config.name);
  };
  const meant = async (config: ServiceConfig, origins: readonly string[]): Promise<WantedService[]> => {
    const [first] = config.standby;
    const zone = serviceZone(origins, config.record);
    const standby = first && options.ownerNamed(first.friend);
    if (standby === undefined || zone === undefined) {
      note(
        `peer.toml: the service ${config.name} names a standby that is no friend: ${first?.friend}. Nobody stands in for it.`,
      );
      return [];
    }
    const answer = await answerOf(config, zone);
    if (answer === undefined) return [];
    const { sets, ttlS } = answer;
    return [wantedService({ ...config, ttlS }, { zone, standby, sets })];
  };
  return {
    configure: async (services, origins) => {
      wanted = async () => (await Promise.all(services.map(async (one) => await meant(one, origins)))).flat();
      await inTurn({});
    },
    change: inTurn,
  };
}
