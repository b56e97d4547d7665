import { hostname } from 'node:os';
import { CommandError, ExitCode, type HostPort } from '@copain/core';
import { probeFailuresMax } from '@copain/mail';
import type { Mail } from '@copain/mail/io';
import type { Host } from '@copain/mesh/io';
import type { MailProof } from '../doctor-mail.ts';
import type { MailDnsFacts } from '../doctor-mail-dns.ts';
import type { Box } from './box.ts';
import { mailDnsFacts } from './mail-dns-facts.ts';
import { mailLookups } from './mail-lookups.ts';
import { startMailProbe } from './mail-probe.ts';
import { type ReceiptState, startReceiptWatch } from './receipt-watch.ts';

/** Is the owner's mail safe with friends? What is known, and how it is found out. */
export interface MailProofs {
  /** Every second. */
  tick(): void;
  /** A friend's receipt became known. */
  receiptCame(): void;
  /** Asks all who can be asked now. */
  askNow(): Promise<void>;
  /** `probeFailures`: after how many failures in a row a probe counts as one; two unless given. */
  facts(probeFailures?: number): MailProof;
  /** What is published for the mail of each domain of ours, or of one; looked up now. Never rejects. */
  dnsFacts(domain?: string): Promise<MailDnsFacts[]>;
  /** Has backups asked that were not yet, so that their names and keys are known. */
  knowBackups(): Promise<void>;
  /** How the receipts of one friend stand, of all without a name. Throws CommandError (65) where nobody is called so. */
  receiptsOf(friend: string | undefined): ReceiptState[];
  /** Lets go what is missing of this friend's; how many of his boxes that concerned. Throws CommandError (65). */
  settle(friend: string): Promise<number>;
}

/** Domains whose records are compared at once; a person waits for it. */
const domainsMax = 20;

export function startMailProofs(
  box: Box,
  wiring: {
    mail: Mail;
    host: () => Host;
    heard: () => readonly string[];
    /** Boxes, heard now, of friends who take mail of a domain of ours. */
    backups: () => readonly { peer: string; domain: string }[];
    /** Where this box answers DNS queries. */
    dnsListening: () => readonly HostPort[];
  },
): MailProofs {
  const { mail, host, heard, backups } = wiring;
  const { identity, names, config } = box;
  const mailBoxes = (): string[] => names.mailBoxesOf(identity.ownerId);
  const receipts = startReceiptWatch({
    ownerId: identity.ownerId,
    clock: box.clock,
    records: box.records,
    mail,
    isMailBox: () => config().mail.length > 0 && mailBoxes().includes(identity.box.peer),
    heard,
    open: async (peer, signal) => await host().open(peer, 'mail', { signal }),
    failed: (peer, error) =>
      box.log.info(
        { friend: names.ofPeer(peer), err: error },
        'a friend could not be asked what he signed for',
      ),
    changed: box.changes.note,
  });
  const lookups = mailLookups({
    listening: wiring.dnsListening,
    stopping: box.stopping,
    origins: () => config().zones.map(({ origin }) => origin.toLowerCase()),
  });
  const addressesOf = (peer: string): readonly string[] => {
    const known = box.knowledge().records.get(`address/${peer}`);
    return known?.kind === 'address' ? known.signed.record.addresses : [];
  };
  const probe = startMailProbe({
    clock: box.clock,
    random: box.random,
    mail,
    lookups,
    hostname: () => config().smtp.hostname ?? hostname(),
    allowPrivate: () => config().mesh.allowPrivate,
    backups,
    hasOtherBoxes: () => mailBoxes().some((peer) => peer !== identity.box.peer),
    addressesOf,
    open: async (peer, signal) => await host().open(peer, 'mail', { signal }),
    stopping: box.stopping,
    changed: box.changes.note,
  });
  const receiptsOf = (friend: string | undefined): ReceiptState[] => {
    const states = receipts.states();
    const isKnown = (name: string): boolean =>
      names.friends().includes(name) || states.some(({ peer }) => names.ofPeer(peer) === name);
    if (friend !== undefined && !isKnown(friend))
      throw new CommandError(ExitCode.badInput, `there is no friend called ${friend}`, {
        hint: 'peer friends',
      });
    return states.filter(({ peer }) => friend === undefined || names.ofPeer(peer) === friend);
  };
  return {
    tick: () => {
      const found = box.standing.finding();
      if (found.kind === 'restored')
        void mail.receipts.forget(found.atMs).catch(box.failed('forgetting what came'));
      receipts.tick();
      probe.tick();
    },
    receiptCame: () => receipts.came(),
    askNow: async () => {
      await Promise.all([receipts.askNow(), probe.askNow()]);
    },
    facts: (probeFailures = probeFailuresMax) => ({
      probeFailures,
      probes: probe.rows().map(({ domain, peer, probe: last, canary, okAtMs }) => ({
        domain,
        name: names.ofBox(peer),
        friend: names.ofPeer(peer),
        probe: last,
        canary,
        okAtMs,
      })),
      nowMs: box.clock.nowMs(),
      domains: config().mail.map(({ domain }) => domain),
      receipts: receipts.states().map(({ peer, accepted, fact, failed, former }) => ({
        name: names.ofBox(peer),
        friend: names.ofPeer(peer),
        accepted,
        fact,
        failed,
        former,
      })),
      otherBoxes: mailBoxes()
        .filter((peer) => peer !== identity.box.peer)
        .map(names.ofBox),
    }),
    dnsFacts: async (only) => {
      const domains = config()
        .mail.map(({ domain }) => domain)
        .filter((domain) => only === undefined || domain === only)
        .slice(0, domainsMax);
      return await Promise.all(
        domains.map(async (domain) => {
          const boxes = backups()
            .filter((one) => one.domain === domain)
            .map(({ peer }) => ({
              friend: names.ofPeer(peer),
              seen: probe.seen(domain, peer),
              addresses: addressesOf(peer),
            }));
          return await mailDnsFacts(domain, boxes, lookups, box.stopping);
        }),
      );
    },
    knowBackups: async () => {
      const isKnown = backups().every(({ domain, peer }) => probe.seen(domain, peer) !== undefined);
      if (!isKnown) await probe.askNow();
    },
    receiptsOf,
    settle: async (friend) => {
      let settled = 0;
      for (const { peer, former } of receiptsOf(friend))
        if (await mail.receipts.settle(peer, former)) settled += 1;
      box.changes.note();
      return settled;
    },
  };
}
