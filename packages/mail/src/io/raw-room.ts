import type { Clock, FrameStream, HostPort } from '@copain/core';
import type { MailDomain } from '../mail-domain.ts';
import type { ClaimView } from '../raw-plan.ts';
import type { Certificates } from './certificates.ts';
import type { MailEvents } from './events.ts';
import { RawDoor } from './raw-friend.ts';
import { RawOwner } from './raw-owner.ts';
import type { ReceptionOptions } from './reception.ts';
import { type SmtpListener, startSmtpListener } from './smtp-listener.ts';

/** Raw mode as the agent sets it up. */
export interface RawOptions {
  /** Addresses of this box that belong to one owner each; whose, is asked for every connection. */
  doors: readonly { listen: HostPort; owner: () => { ownerId: string; name: string } | undefined }[];
  /** A stream to the agent of an owner's box; rejects where none can be reached. */
  open: (ownerId: string, signal: AbortSignal) => Promise<FrameStream>;
  /** What friends may say of their clients, as it is now. */
  claims: () => ClaimView;
}

/** Both ends of raw mode: addresses here that belong to friends, and what friends pass on to our own MTA. */
export interface RawRoom extends AsyncDisposable {
  readonly addresses: readonly HostPort[];
  /** Those that belong to this owner now. */
  addressesOf(ownerId: string): HostPort[];
  /** Serves one `/copain/raw/1` stream of a friend who was granted these domains of ours. Never rejects. */
  handle(stream: FrameStream, friend: string, granted: readonly string[]): Promise<void>;
  /** Until it is disposed of friends have all conversations themselves. */
  decline(): Disposable;
  /** When a friend's connection was last given to our own MTA, 0 where none was. */
  passedAtMs(): number;
}

/** Starts listening. Rejects where an address is taken. */
export async function startRawRoom(
  options: RawOptions,
  room: {
    hostname: string;
    certificates: Certificates;
    reception: ReceptionOptions;
    domains: () => readonly MailDomain[];
    clock: Clock;
    events: MailEvents;
  },
): Promise<RawRoom> {
  const { domains, clock, events } = room;
  const { claims, open } = options;
  const owner = new RawOwner({ domains, claims, clock, events });
  const doors: RawDoor[] = [];
  const listeners: SmtpListener[] = [];
  const stop = async (): Promise<void> => {
    // A listener waits for its connections, so those that are passed on go first.
    await Promise.all([owner, ...doors].map((part) => part[Symbol.asyncDispose]()));
    await Promise.all(listeners.map((listener) => listener[Symbol.asyncDispose]()));
  };
  try {
    for (const { listen, owner: ofDoor } of options.doors) {
      const door = new RawDoor({ owner: ofDoor, open, clock, events });
      doors.push(door);
      const ofOwner = (): readonly MailDomain[] => {
        const ownerId = ofDoor()?.ownerId;
        return domains().filter((domain) => domain.ownerId === ownerId);
      };
      const { hostname, certificates } = room;
      const reception = { ...room.reception, domains: ofOwner };
      const before = door.enter.bind(door);
      const shared = { hostname, certificates, reception, before, clock, events };
      listeners.push(await startSmtpListener({ listen, ...shared }));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    addresses: listeners.map(({ address }) => address),
    addressesOf: (ownerId) =>
      listeners.flatMap(({ address }, i) =>
        options.doors[i]?.owner()?.ownerId === ownerId ? [address] : [],
      ),
    handle: (stream, friend, granted) => owner.handle(stream, friend, granted),
    decline: () => owner.decline(),
    passedAtMs: () => owner.passedAtMs,
    [Symbol.asyncDispose]: stop,
  };
}
