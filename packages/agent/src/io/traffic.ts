import type { Clock } from '@copain/core';
import { type TrafficClass, trafficClasses } from '@copain/mesh';

/** What copain sent and received over the mesh, in bytes of its own protocols (before Noise, yamux and TCP). */
export interface Traffic {
  /** `friend`: the box of one; undefined for a stranger, who counts in the sums only. */
  count(
    friend: string | undefined,
    direction: 'sent' | 'received',
    trafficClass: TrafficClass,
    sizeBytes: number,
  ): void;
  totals(): {
    sentBytes: number;
    receivedBytes: number;
    sentBytesPerSecond: number;
    receivedBytesPerSecond: number;
  };
  /** With this friend's box, each class that was used, most urgent first. */
  withFriend(peer: string): { class: TrafficClass; sentBytes: number; receivedBytes: number }[];
  byClass(): { direction: 'sent' | 'received'; class: TrafficClass; bytes: number }[];
}

const windowSeconds = 10;

export function startTraffic(clock: Clock): Traffic {
  const sums = new Map<string, number>();
  const friends = new Map<string, Map<TrafficClass, Record<'sent' | 'received', number>>>();
  const recent: { second: number; sent: number; received: number }[] = [];
  const trim = (second: number): void => {
    while ((recent[0]?.second ?? second) <= second - windowSeconds) recent.shift();
  };
  return {
    count: (friend, direction, trafficClass, sizeBytes) => {
      if (friend !== undefined) {
        const ofFriend = friends.get(friend) ?? new Map<TrafficClass, Record<typeof direction, number>>();
        friends.set(friend, ofFriend);
        const counted = ofFriend.get(trafficClass) ?? { sent: 0, received: 0 };
        counted[direction] += sizeBytes;
        ofFriend.set(trafficClass, counted);
      }
      const key = `${direction} ${trafficClass}`;
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
    withFriend: (peer) => {
      const ofFriend = friends.get(peer);
      return trafficClasses.flatMap((one) => {
        const counted = ofFriend?.get(one);
        if (counted === undefined) return [];
        return [{ class: one, sentBytes: counted.sent, receivedBytes: counted.received }];
      });
    },
    byClass: () =>
      [...sums].map(([key, bytes]) => {
        const [direction, trafficClass] = key.split(' ') as ['sent' | 'received', TrafficClass];
        return { direction, class: trafficClass, bytes };
      }),
  };
}
