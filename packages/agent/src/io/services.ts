import { addressesIn, isNewerSerial, mailServersOf } from '@copain/dns';
import { querySoa, querySoaOverTcp } from '@copain/dns/io';
import {
  emptyServices,
  findings,
  type ProbePace,
  type ProbeResult,
  probeEveryMs,
  probeRetryMs,
  probeTimeoutMs,
  type ServiceCheck,
  type ServiceFinding,
  type ServicesInput,
  type ServiceTarget,
  serviceKey,
  stepServices,
  type TargetCheck,
  watchersOf,
} from '@copain/liveness';
import { probe } from '@copain/liveness/io';
import { type ServiceStatement, statementsThatFit } from '@copain/trust';
import { recordsOf } from '../known-records.ts';
import { saidNetwork } from '../network-of.ts';
import { type Observer, type ServiceFact, serviceFacts } from '../service-facts.ts';
import { publicTargets, type ServiceSources, signedTargets } from '../service-targets.ts';
import type { Box } from './box.ts';
import { hostAddresses } from './host-addresses.ts';
import { interfaceHosts } from './own-interfaces.ts';
import type { Watch } from './watch.ts';
import type { Zones } from './zones.ts';

/** As many boxes look at an owner's services from outside; more would only ask the same again. */
const serviceObservers = 3;

/** How quickly services are looked for and tried; tests are quicker. */
export interface ServicePace extends ProbePace {
  /** Circle, zones and addresses are looked through for what is to be tried this often. */
  lookEveryMs: number;
  timeoutMs: number;
}

const usualPace: ServicePace = {
  everyMs: probeEveryMs,
  retryMs: probeRetryMs,
  lookEveryMs: 10_000,
  timeoutMs: probeTimeoutMs,
};

/** What changed within so long is signed at once. */
const signEveryMs = 2000;

const soaTimeoutMs = 4000;

/** The services of friends, as this box and those who are heard see them. */
export interface Services {
  /** Every second. */
  tick(): void;
  facts(): ServiceFact[];
  /** What this box itself found: for metrics. */
  findings(): ServiceFinding[];
}

/** What is tried on this very box, beside the public services of friends. */
export interface InsideService {
  service: string;
  /** Why it does not answer; undefined where it does. */
  run(): Promise<string | undefined>;
}

export function startServices(
  box: Box,
  rooms: {
    pace?: ServicePace | undefined;
    watch: Watch;
    zones: Zones;
    networkOf(peer: string): string;
    /** The owner's own servers behind this box. */
    inside(): InsideService[];
    /** What owners signed to have tried. */
    signed(): { ownerId: string; name: string; check: string }[];
    /** What everybody agrees on changed. */
    changed(fact: ServiceFact, before: ServiceFact | undefined): void;
  },
): Services {
  const { identity, clock, config, own, stopping } = box;
  const { watch, zones, pace = usualPace } = rooms;
  const self = identity.box.peer;
  const spread = box.random.fraction();
  const hosts = hostAddresses({ clock, stopping });
  let state = emptyServices(pace);
  let said: readonly ServiceFinding[] | undefined = saidBefore(box);
  let lookAtMs = 0;
  let signAtMs = 0;
  let isUnsigned = false;
  let shown = new Map<string, ServiceFact>();

  const mayJudge = (): boolean => watch.mayJudge() && watch.line() !== 'cut';

  const take = (input: ServicesInput): void => {
    const [next, effects] = stepServices(state, input, clock.nowMs());
    state = next;
    for (const effect of effects) {
      if (effect.kind === 'changed') isUnsigned = true;
      else void attempt(effect.key, effect.checks);
    }
  };

  const attempt = async (key: string, checks: readonly TargetCheck[]): Promise<void> => {
    let result: ProbeResult = { kind: 'unknown', why: 'nothing to try' };
    const insideOne = rooms.inside().find(({ service }) => insideKey(service) === key);
    if (insideOne !== undefined) {
      const startedAtMs = performance.now();
      const why = await insideOne.run();
      result =
        why === undefined
          ? { kind: 'up', tookMs: performance.now() - startedAtMs }
          : { kind: 'down', why: printable(why) };
    } else {
      for (const { check, address } of checks) {
        const { allowPrivate } = config().mesh;
        result = await probe(check, {
          address,
          allowPrivate,
          timeoutMs: pace.timeoutMs,
          signal: stopping,
          soa: (question, at) => probeSoa(question, at, Math.min(soaTimeoutMs, pace.timeoutMs)),
        });
        if (result.kind !== 'up') break;
      }
    }
    if (!stopping.aborted) take({ kind: 'result', key, result, mayJudge: mayJudge() });
  };
  const insideKey = (service: string): string => serviceKey({ owner: identity.ownerId, service, target: '' });

  const lookForTargets = (): void => {
    const { roster, agreements } = box.knowledge();
    const contents = zones.contents();
    const heard = new Set(watch.heard());
    // Of those who are there: three who are off would see nothing.
    const candidates = [...roster.ownerOf]
      .filter(([peer]) => peer === self || heard.has(peer))
      .map(([peer, ownerId]) => ({ peer, ownerId, network: saidNetwork(box.knowledge(), peer) }));
    const isObserver = (ownerId: string): boolean =>
      ownerId === identity.ownerId ||
      watchersOf(
        `services of ${ownerId}`,
        candidates.filter((one) => one.ownerId !== ownerId),
        serviceObservers,
      ).includes(self);
    const { ipv4, ipv6 } = box.publicAddress.believed();
    const ownHosts = new Set([...interfaceHosts(), ...[ipv4, ipv6].flatMap((one) => one ?? [])]);
    const inside = rooms.inside().map(
      ({ service }): ServiceTarget => ({
        owner: identity.ownerId,
        service,
        target: '',
        protocol: 'smtp',
        checks: [],
        inside: true,
      }),
    );
    const sources: ServiceSources = {
      zones: contents,
      mailDomains: new Map(
        [...agreements.grants].map(([id, { mail }]) => [id, mail.map(({ name }) => name)]),
      ),
      observes: isObserver,
      addressesOf: (host) => {
        const zone = zones.closestTo(host);
        return zone === undefined ? hosts.of(host) : addressesIn(zone, host);
      },
      mailServersOf: (domain) => {
        const zone = zones.closestTo(domain);
        return zone === undefined ? hosts.mailServersOf(domain) : mailServersOf(zone, domain);
      },
      isOwn: (address) => ownHosts.has(address),
      allowPrivate: config().mesh.allowPrivate,
    };
    const targets = [...inside, ...signedTargets(rooms.signed(), sources), ...publicTargets(sources)];
    take({
      kind: 'targets',
      targets,
      said: said ?? [],
      spread,
    });
    said = undefined;
    const before = sayable(state).length;
    // What is not tried any more is not said any more.
    if (before !== (ownRecord(box)?.services.length ?? 0)) isUnsigned = true;
  };

  const facts = (): ServiceFact[] => {
    const heard = new Set(watch.heard());
    const others = recordsOf(box.knowledge(), 'probes').flatMap(({ signed }): Observer[] => {
      const ownerId = box.names.ownerOf(signed.signer);
      if (ownerId === undefined || signed.signer === self || !heard.has(signed.signer)) return [];
      const network = rooms.networkOf(signed.signer);
      return [
        {
          peer: signed.signer,
          ownerId,
          network: network === '' ? `only ${signed.signer}` : network,
          services: signed.record.services,
        },
      ];
    });
    const network = config().mesh.network ?? '';
    const mine: Observer = {
      peer: self,
      ownerId: identity.ownerId,
      network: network === '' ? `only ${self}` : network,
      services: sayable(state),
    };
    const unknownHere = new Map(
      findings(state).flatMap((one) =>
        one.state === 'unknown' ? [[serviceKey(one), one.why] as const] : [],
      ),
    );
    return serviceFacts([mine, ...others], unknownHere);
  };

  /** Tells of what was agreed, and taken back, since the last time. */
  const tell = (): void => {
    const now = new Map(facts().map((fact) => [serviceKey({ ...fact, owner: fact.ownerId }), fact]));
    for (const [key, fact] of now) {
      const before = shown.get(key);
      if (
        before?.verdict.state !== fact.verdict.state ||
        before.verdict.confirmed !== fact.verdict.confirmed ||
        before.fault !== fact.fault
      )
        rooms.changed(fact, before);
    }
    shown = now;
  };

  return {
    facts,
    findings: () => findings(state),
    tick: () => {
      const nowMs = clock.nowMs();
      if (nowMs >= lookAtMs || lookAtMs - nowMs > pace.lookEveryMs) {
        lookAtMs = nowMs + pace.lookEveryMs;
        lookForTargets();
      }
      take({ kind: 'tick', mayJudge: mayJudge() });
      if (nowMs < signAtMs && signAtMs - nowMs <= signEveryMs) return;
      signAtMs = nowMs + signEveryMs;
      tell();
      if (!isUnsigned) return;
      isUnsigned = false;
      void own.probes(statementsThatFit(sayable(state).map(forOthers))).catch((error: unknown) => {
        isUnsigned = true;
        box.failed('saying how services look')(error);
      });
    },
  };
}

type Sayable = ServiceFinding & ServiceStatement;

const sayable = (state: Parameters<typeof findings>[0]): Sayable[] =>
  findings(state).flatMap((one): Sayable[] =>
    one.state === 'unknown'
      ? []
      : [{ ...one, state: one.state, sinceMs: Math.round(one.sinceMs), why: one.why.slice(0, 160) }],
  );

/** Where one's own servers listen behind this box, and what they say, is nobody else's business. */
const forOthers = (one: Sayable): Sayable =>
  one.target === '' && one.state === 'down' ? { ...one, why: 'no answer there' } : one;

/** What goes into a record is one line of printable characters. */
const printable = (text: string): string => text.replaceAll(/[^ -~]+/g, ' ').slice(0, 160);

const ownRecord = (box: Box) => {
  const known = box.knowledge().records.get(`probes/${box.identity.box.peer}`);
  return known?.kind === 'probes' ? known.signed.record : undefined;
};

/** What this box said before it stopped: it stands until it is tried again. */
const saidBefore = (box: Box): ServiceFinding[] =>
  (ownRecord(box)?.services ?? []).map((one) => ({ ...one, tookMs: undefined }));

async function probeSoa(
  { port, origin, serial, over }: Extract<ServiceCheck, { kind: 'dns' }>,
  address: string,
  timeoutMs: number,
): Promise<ProbeResult> {
  const ask = over === 'tcp' ? querySoaOverTcp : querySoa;
  const asking = { server: { host: address, port }, origin, timeoutMs };
  let answer = await ask(asking);
  // One datagram may be lost.
  if (answer.kind === 'failed' && over === 'udp') answer = await ask(asking);
  if (answer.kind === 'failed') return { kind: 'down', why: `no answer over ${over.toUpperCase()}` };
  if (answer.rcode !== 'NOERROR') return { kind: 'down', why: `it answers ${answer.rcode}` };
  if (!answer.authoritative)
    return { kind: 'unknown', why: 'the answer is not authoritative: another resolver gives it' };
  if (answer.serial === undefined) return { kind: 'down', why: 'it does not have the zone' };
  if (isNewerSerial(serial, answer.serial))
    return { kind: 'down', why: `it answers serial ${answer.serial}, and ${serial} is out` };
  return { kind: 'up', tookMs: answer.roundTripMs };
}
