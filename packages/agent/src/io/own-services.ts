import { equalBytes } from '@copain/core';
import { encodeServicesRecord, type ServicesRecord } from '@copain/trust';
import { serviceZone } from '../config-across.ts';
import type { ServiceConfig } from '../config-service.ts';
import {
  nextServices,
  type ServiceChange,
  standbySets,
  type WantedService,
  wantedService,
} from '../own-services.ts';
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
  let wanted: (() => WantedService[]) | undefined;
  let isWaiting = false;

  const say = async (change: Omit<ServiceChange, 'inForce'>): Promise<void> => {
    if (wanted === undefined) return;
    if (!standing.maySign()) {
      isWaiting = true;
      return;
    }
    if (records.knowledge().roster.ownerOf.get(self) !== identity.ownerId) return;
    const known = records.knowledge().records.get(`services/${self}`);
    const last: ServicesRecord =
      known?.kind === 'services' ? known.signed.record : { sequence: 0, services: [], ended: [] };
    const next = nextServices(last, wanted(), { ...change, inForce: options.inForce() });
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
  return {
    configure: async (services, origins) => {
      wanted = () =>
        services.flatMap((config) => {
          const [first] = config.standby;
          const zone = serviceZone(origins, config.record);
          const standby = first && options.ownerNamed(first.friend);
          if (standby !== undefined && zone !== undefined)
            return [wantedService(config, { zone, standby, sets: standbySets(config.standby) })];
          const text = `peer.toml: the service ${config.name} names a standby that is no friend: ${first?.friend}. Nobody stands in for it.`;
          if (!told.has(text)) options.noted(text);
          told.add(text);
          return [];
        });
      await inTurn({});
    },
    change: inTurn,
  };
}
