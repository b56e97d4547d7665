import type { ZoneVersion } from '@copain/dns';
import type { FriendState, LineState } from '@copain/liveness';
import type { Fact } from '@copain/mesh';
import type { KnownRecord } from '../../../packages/agent/src/known-records.ts';
import type { Box } from '../box/box.ts';
import type { Agenda } from './agenda.ts';
import type { Chance } from './chance.ts';
import type { Net } from './net.ts';
import type { Person } from './people.ts';
import type { Sites } from './sites.ts';

/** What happened at a box, for checkers and for the digest of the run. */
export type Observation =
  | {
      kind: 'friend';
      about: string;
      from: FriendState;
      to: FriendState;
      confirmed: boolean;
      seenDownBy: readonly string[];
    }
  | { kind: 'line'; state: LineState }
  | { kind: 'own-vote'; about: string; silent: boolean }
  | { kind: 'record'; fact: Fact; record: KnownRecord; own: boolean }
  | {
      kind: 'refused';
      why: string;
      from: string;
      before: Uint8Array;
      after: Uint8Array;
      size: readonly [number, number];
    }
  | { kind: 'zone-serve'; header: ZoneVersion; contentHash: Uint8Array; isStored: boolean }
  | { kind: 'zone-term'; header: ZoneVersion; freshUntilMs: number }
  | { kind: 'zone-drop'; key: string }
  | { kind: 'zone-refused'; why: string }
  | { kind: 'mail-acked'; message: string; by: 'owner' | 'friend' }
  | { kind: 'mail-held'; message: string; id: string }
  | { kind: 'mail-removed'; message: string }
  | { kind: 'mail-mailbox'; message: string }
  | { kind: 'mail-window'; message: string }
  /** Of a service, by its key: a word of this box, a certificate that it put together, and what it answers from now on. */
  | { kind: 'takeover-vote'; service: string; number: number; stands: boolean }
  | { kind: 'takeover-certified'; service: string; number: number; voters: readonly string[] }
  | {
      kind: 'takeover-answers';
      service: string;
      number: number;
      onStandby: boolean;
      by: 'owner' | 'drill' | 'friends';
    }
  | { kind: 'started' | 'stopped' };

export type Observer = (box: Box, seen: Observation, nowMs: number) => void;

/** What every part of the simulator knows of the whole. */
export interface World {
  readonly agenda: Agenda;
  readonly net: Net;
  readonly chance: Chance;
  readonly sites: Sites;
  readonly size: number;
  /** Simulate every beat and every tick, to show that leaving them out changes nothing? */
  readonly full: boolean;
  readonly people: readonly Person[];
  readonly boxes: readonly Box[];
  box(number: number): Box;
  numberOf(peer: string): number;
  /** PeerIds of the boxes that this box takes for its friends. */
  friendsOf(box: Box): readonly string[];
  areFriends(a: Box, b: Box): boolean;
  connected(box: Box): string[];
  talk(a: number, b: number): boolean;
  received(box: Box, from: Box, record: { envelope: Uint8Array; reached: Uint8Array }): void;
  peersChanged(box: Box): void;
  observe: Observer;
}
