import type { Clock } from '@copain/core';
import { type ProtocolName, protocolClass, type TrafficClass } from '@copain/mesh';

/** What copain sent and received over the mesh, in bytes of its own protocols (before Noise, yamux and TCP). */
export interface Traffic {
  count(direction: 'sent' | 'received', protocol: ProtocolName, sizeBytes: number): void;
  totals(): {
    sentBytes: number;
    receivedBytes: number;
    sentBytesPerSecond: number;
    receivedBytesPerSecond: number;
  };
  byClass(): { direction: 'sent' | 'received'; class: TrafficClass; bytes: number }[];
}

const windowSeconds = 10;

export function startTraffic(clock: Clock): Traffic {
  const sums = new Map<string, number>();
  const recent: { second: number; sent: number; received: number }[] = [];
  const trim = (second: number): void => {
    while ((recent[0]?.second ?? second) <= second - windowSeconds) recent.shift();
  };
  return {
    count: (direction, protocol, sizeBytes) => {
      const key = `${direction} ${protocolClass[protocol]}`;
      sums.set(key, (sums.get(key) ?? 0) + sizeBytes);
      const second = Math.floor(clock.nowMs() / 1000);
      trim(second);
      let slot = recent.at(-1);
      if (slot?.second !== second) {
        slot = { second, sent: 0, received: 0 };
        recent.push(slot);
      }
      slot[direction] += sizeBytes;
    },
    totals: () => {
      trim(Math.floor(clock.nowMs() / 1000));
      const total = (direction: string): number =>
        [...sums].reduce((sum, [key, bytes]) => (key.startsWith(direction) ? sum + bytes : sum), 0);
      const rate = (direction: 'sent' | 'received'): number =>
        Math.round(recent.reduce((sum, slot) => sum + slot[direction], 0) / windowSeconds);
      return {
        sentBytes: total('sent'),
        receivedBytes: total('received'),
        sentBytesPerSecond: rate('sent'),
        receivedBytesPerSecond: rate('received'),
      };
    },
    byClass: () =>
      [...sums].map(([key, bytes]) => {
        const [direction, trafficClass] = key.split(' ') as ['sent' | 'received', TrafficClass];
        return { direction, class: trafficClass, bytes };
      }),
  };
}
