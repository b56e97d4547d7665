import { isLoopback } from '@copain/core';
import {
  buildStatus,
  findTroubles,
  metricsText,
  type StatusDocument,
  type StatusFacts,
  type Troubles,
} from '@copain/status';
import type { Config } from '../config-schema.ts';
import { type Check, type NetFacts, ownHosts } from '../doctor-net.ts';
import { serviceChecks } from '../service-text.ts';
import type { Box } from './box.ts';
import type { Histories } from './history.ts';
import type { MailProofs } from './mail-proof.ts';
import type { MailRoom } from './mail-room.ts';
import type { MeshRoom } from './mesh-room.ts';
import { interfaceHosts } from './own-interfaces.ts';
import type { Services } from './services.ts';
import type { SignedLater } from './signed-later.ts';
import { collectStatus } from './status-collect.ts';
import type { Takeovers } from './takeovers.ts';
import type { Watch } from './watch.ts';
import type { Zones } from './zones.ts';

/** What is shown of a running box: to people, to monitoring, to `peer doctor net`. */
export interface BoxView {
  status(): StatusDocument;
  metrics(): string;
  /** What is wrong and worth an alert. */
  troubles(): Troubles;
  netFacts(): NetFacts;
  /** How services of this box's owner look, those of these names. */
  serviceChecks(services: readonly string[]): Check[];
}

export function boxView(
  box: Box,
  rooms: {
    mesh: MeshRoom;
    watch: Watch;
    zones: Zones;
    mail: MailRoom;
    mailProofs: MailProofs;
    later: SignedLater;
    services: Services;
    histories: Histories;
    takeovers: Takeovers;
    alertFailures(): NonNullable<StatusFacts['alertFailures']>;
    addressFailures(): NonNullable<StatusFacts['addressFailures']>;
    claims(): NonNullable<StatusFacts['claims']>;
  },
): BoxView {
  const { identity, version, startedAtMs, records, names, events, standing, clock, config } = box;
  const { mesh, watch, zones, later, mailProofs, services, histories, takeovers } = rooms;
  const { mail } = rooms.mail;
  const relays = (): string[] => mesh.relaying.listening().map(names.ofPeer);
  /** What the operator set; else what friends see now; else, right after a start, what was agreed before. */
  const shownAddress = (): ReturnType<Box['publicAddress']['believed']> => {
    const seen = box.publicAddress.believed();
    const { agreed, pinned } = box.publicAddress.facts();
    const shown = (family: 'ipv4' | 'ipv6'): string | undefined =>
      pinned.includes(family) ? agreed[family]?.address : (seen[family] ?? agreed[family]?.address);
    const sinceMs = Math.max(agreed.ipv4?.sinceMs ?? 0, agreed.ipv6?.sinceMs ?? 0);
    return {
      ipv4: shown('ipv4'),
      ipv6: shown('ipv6'),
      changedAtMs: sinceMs === 0 ? seen.changedAtMs : sinceMs,
    };
  };
  const facts = (): StatusFacts => ({
    ...collectStatus({
      config: config(),
      identity,
      version,
      startedAtMs,
      faults: box.faults,
      records,
      names,
      watch,
      zones,
      mail,
      mailProof: mailProofs.facts(),
      traffic: mesh.traffic,
      events,
      standing,
      later,
      services: services.facts(),
      history: (key) => histories.summary(key),
      takeovers,
      details: mesh.details,
      viaOf: (peer) => {
        const connections = mesh.host.connections(peer);
        const inUse = mesh.sync.connectionOf(peer);
        return (connections.find(({ id }) => id === inUse) ?? connections[0])?.via;
      },
      address: { ...shownAddress(), reachable: mesh.dialback.reachable(), relays: relays() },
      nowMs: clock.nowMs(),
    }),
    isDiskLow: box.isDiskLow(),
    claims: rooms.claims(),
    alertFailures: rooms.alertFailures(),
    addressFailures: rooms.addressFailures(),
  });
  const status = (): StatusDocument => buildStatus(facts(), clock.nowMs());
  return {
    status,
    troubles: () => findTroubles(facts(), clock.nowMs()),
    metrics: () => {
      const domains = mail.facts().domains;
      const counters = {
        dnsQueries: zones.queryCounts(),
        dnsLimited: zones.limitedCounts(),
        dnsTransfers: zones.transferCounts(),
        zonesReceived: zones.receivedCounts(),
        mailAccepted: domains.map(({ domain, acceptedTotal }) => ({ domain, count: acceptedTotal })),
        mailDelivered: domains.map(({ domain, deliveredTotal }) => ({ domain, count: deliveredTotal })),
        mailRaw: rooms.mail.rawConnections(),
        lineBytes: mesh.traffic.byClass(),
        refused: box.refusals.totals(),
        probes: services.findings().map(({ owner, ...one }) => ({ ...one, owner: names.ofOwner(owner) })),
        residentMemoryBytes: process.memoryUsage.rss(),
      };
      return metricsText({ status: status(), nowMs: clock.nowMs(), counters });
    },
    serviceChecks: (wanted) => serviceChecks(services.facts(), identity.ownerId, names, wanted),
    netFacts: () => {
      const view = box.publicAddress.believed();
      const { dns, smtp } = config();
      const serves = (listen: Config['dns']['listen'], port: number): boolean =>
        listen.some((address) => address.port === port && !isLoopback(address.host));
      const port = (number: number, what: NetFacts['ports'][number]['what'], isServed: boolean) => {
        const { answer, by } = mesh.dialback.port(number);
        return { port: number, what, served: isServed, answer, by: by.map(names.ofPeer) };
      };
      return {
        friends: box.friendBoxes().length,
        observed: view.ipv4 ?? view.ipv6,
        own: ownHosts(interfaceHosts()),
        ports: [
          ...mesh.dialback.meshPorts().map((number) => port(number, 'mesh', true)),
          port(25, 'mail', serves(smtp.listen, 25)),
          port(53, 'dns', serves(dns.listen, 53)),
        ],
        relays: relays(),
        router: mesh.routerPorts(),
      };
    },
  };
}
