import type { Clock, Random, Table } from '@copain/core';
import { type DomainName, primaryPullsAtOnceMax } from '@copain/dns';
import type { Logger } from 'pino';
import type { ZoneConfig } from '../config-dns.ts';
import { besideConfig } from '../config-paths.ts';
import type { EventLog } from './event-log.ts';
import { type PrimarySource, primarySource } from './primary-source.ts';
import { inTurns } from './turns.ts';
import { masterFileSource, type ZoneSource } from './zone-source.ts';

/** Makes the sources of this box's zones, and counts what came of the questions to hidden primaries. */
export interface ZoneSources {
  /** `onChange`: the source says something else than it did; whoever hears it reads. */
  of(
    config: ZoneConfig,
    origin: DomainName,
    onChange: () => void,
  ): { source: ZoneSource; primary: PrimarySource | undefined };
  /** What came of the questions to primaries since the start. */
  received: () => { kind: string; count: number; bytes: number }[];
}

export function zoneSources(options: {
  configFile: string;
  table: Table;
  clock: Clock;
  random: Random;
  events: EventLog;
  log: Logger;
  /** What is told of a zone changed, and not what is answered. */
  told(): void;
}): ZoneSources {
  const { configFile, table, clock, random, events, log } = options;
  const pulls = inTurns(primaryPullsAtOnceMax);
  const received = new Map<string, { count: number; bytes: number }>();
  return {
    of: (config, origin, onChange) => {
      const { source } = config;
      if (source.kind === 'file') {
        const path = besideConfig(configFile, source.file);
        return { source: masterFileSource({ path, origin, onChange }), primary: undefined };
      }
      const { address, tsigFile } = source;
      const primary = primarySource({
        origin,
        originText: config.origin,
        primary: address,
        onChange,
        clock,
        events,
        log,
        tsigFile: tsigFile === undefined ? undefined : besideConfig(configFile, tsigFile),
        table,
        random,
        whenFree: (work) => pulls.run('primary', work),
        onFact: () => options.told(),
        onTransfer: (kind, bytes) => {
          const before = received.get(kind) ?? { count: 0, bytes: 0 };
          received.set(kind, { count: before.count + 1, bytes: before.bytes + bytes });
        },
      });
      return { source: primary, primary };
    },
    received: () => [...received].map(([kind, sum]) => ({ kind, ...sum })),
  };
}
