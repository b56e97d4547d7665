import type { SyncState } from '@copain/mesh';
import type { Planned } from '../world/agenda.ts';

/** 0: from the lower box to the higher; 1: back. */
export type Direction = 0 | 1;

/** A message on its way, with its place in the order of those of its direction. */
interface Sent {
  order: number;
  deliver(): void;
}

/**
 * A connection of two boxes with its sync stream, as TCP is one: in order, silent while its path is cut, and for good once
 * one end is gone or has another address. The lower box beats.
 */
export interface Connection {
  readonly low: number;
  readonly high: number;
  /** Counts the connections of this pair. */
  readonly number: number;
  open: boolean;
  /** Nothing passes any more, and one end at least does not know. */
  dead: boolean;
  /** As the low and the high box see the stream. */
  states: [SyncState, SyncState];
  /** Messages other than beats and their answers, by direction; and messages of any kind, for their order. */
  counts: [number, number];
  orders: [number, number];
  /** When the last message of each direction arrives: none overtakes it. */
  arrivesMs: [number, number];
  /** What cannot arrive now. */
  waiting: [Sent[], Sent[]];
  /** Since when a direction is cut. */
  blockedSinceMs: number | undefined;
  /** What a cut or its end has set in motion: to give up, to send again. */
  recovery: Planned | undefined;
  /** 0 or 0.5: the jitter of this stream's beats, so that they come every 9 or 10 s. */
  jitter: number;
  beat: Planned | undefined;
  /** The tick at which the last beat was sent, and its counter. */
  beatSentMs: number;
  /** The version of what the low and the high box hear that the other was told last. */
  toldVersion: [number, number];
  /** Beats come and go and change nothing: since which beat they are not simulated one by one. */
  calm:
    | {
        beatMs: number;
        counter: number;
        everyMs: number;
        /** What both beats and answers say all the while. */
        digest: Uint8Array;
        heard: readonly [readonly string[], readonly string[]];
        /** One end knows something new since, and the next beat is to be looked at. */
        doubted: boolean;
        /** Before then no further beat arrives at the low and the high box. */
        nextNoteMs: [number, number];
      }
    | undefined;
  /** When the last beat that was not simulated was noted at each end. */
  notedMs: [number, number];
}
