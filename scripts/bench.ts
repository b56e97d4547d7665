/**
 * The figures of copain on this machine, each beside a real peer of its kind in the same run. What is measured stands
 * in scripts/measure, one file a subject.
 */
import { parseArgs } from 'node:util';
import { measureAccepting } from './measure/accept.ts';
import { measureCircle } from './measure/circle.ts';
import { measureDetecting } from './measure/detect.ts';
import { measureDns } from './measure/dns.ts';
import { measureDoubts } from './measure/doubts.ts';
import { measureDraining } from './measure/drain.ts';
import { collectFigures } from './measure/figures.ts';
import { measureFlood } from './measure/flood.ts';
import { measureHealing } from './measure/heal.ts';
import { measureRelayedHealing } from './measure/heal-nat.ts';
import { measureIdle } from './measure/idle.ts';
import { measurePackets } from './measure/packets.ts';
import { measurePassing } from './measure/passthrough.ts';
import { measurePropagation } from './measure/propagate.ts';
import { measureTakeover } from './measure/takeover.ts';

const usage = `scripts/bench [circle|dns|packets|idle|detect|heal|flood|propagate|accept|drain|passthrough|takeover|doubts|all] [--json]
  circle   a circle of three on loopback addresses: start, a zone change, held mail, memory (2 minutes)
  dns      answers a second of one core, beside NSD, Knot, BIND and a bare Node echo, by dnsperf; start and memory with
           1,000 zones, of four friends and of one with three friends (5 minutes; Debian packages dnsperf nsd knot bind9)
           --rounds 5       rounds of 2 s for each server
  packets  mutated DNS messages: the slowest by itself, memory left behind (2 minutes)
           --count 1000000  how many       --seed 1   which
  idle     what quiet agents send and hold, beside serf, in network namespaces (as root; Debian package serf)
           --boxes 3,5,10   sizes of the circle      --for 130   seconds measured each (10 minutes for all three)
           --quick          both at once, less time to settle, 40 s measured (4 minutes)
  detect   how soon a killed process is noticed, a cut line and a blocked mail port are agreed, beside serf, in network
           namespaces (as root; Debian package serf; 45 minutes for all three sizes)
           --boxes 3,5,10   sizes of the circle      --times 10       kills and cuts each
  heal     circles of three in network namespaces (as root): one box's line is cut, and healed (10 minutes)
           --times 10       cuts in all              --cut 150s  how long each
           --nat            two of the boxes behind NAT, the third relays for them; lines are cut by turns
  flood    a box that strangers flood with 200 connections a second, in network namespaces (as root; 3 minutes)
           --flood 60       seconds each             --whole     nothing but whole Noise handshakes
  takeover  how long after the cut of a line its secondaries answer the standby of a web site, and what ten cuts of 40 s do,
           in network namespaces (as root; Debian package bind9-dnsutils; 17 minutes for each size)
           --boxes 3,5,10   sizes of the circle      --times 10       long cuts, of 5 minutes each
  doubts   false alarms while an uplink of 128 kbit/s is full, and while packets are lost, in network namespaces (as root;
           18 minutes; Debian package nftables)      --for 600  seconds with loss
  propagate  a zone change until three secondaries answer it, in good and bad times, beside BIND and Knot primaries of NSD,
           Knot and BIND, in network namespaces (as root; 10 minutes; Debian packages nsd knot bind9 bind9-dnsutils)
           --rounds 5       changes of each kind      --cuts 10,40,100   seconds off the network
  accept   mail taken while its owner is away, 4 KB and 64 KB, in kept sessions and in one each, and where the disk flushes
           slowly, beside Postfix as backup MX (as root; 4 minutes; Debian packages postfix gcc)
           --rounds 5       turns of both           --quick    less of everything
  passthrough  memory beside mail of 49 MB, passed through and held; the banner for a newcomer beside 1,000 idle connections,
           with Postfix beside it; zone changes while mail of 20 MB passes through at 128 kbit/s, which takes 22 minutes
           (as root, in network namespaces; Debian packages postfix bind9-dnsutils)
           --quick          mail of 1 MB on the narrow line (3 minutes)
  drain    how soon 60 held messages are at the owner's server when she is back, and a box that holds 100,000 (as root, in
           network namespaces; 10 minutes; Debian package postfix)
           --rounds 5       returns of each kind    --quick          one of each, and 10,000 messages (3 minutes)
           --whole          also a stock Postfix whose primary was away for a minute (12 minutes more)
  all      everything but heal, flood, takeover and doubts (the default; 2 hours, 75 minutes with --quick)`;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    boxes: { type: 'string', default: '3,5,10' },
    for: { type: 'string' },
    quick: { type: 'boolean', default: false },
    whole: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    count: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    flood: { type: 'string', default: '60' },
    times: { type: 'string', default: '10' },
    cut: { type: 'string', default: '150s' },
    nat: { type: 'boolean', default: false },
    cuts: { type: 'string', default: '10,40,100' },
  },
});
const [what = 'all'] = positionals;
const sizes = flags.boxes.split(',').map(Number);
const seconds = Number(flags.for ?? (flags.quick ? 40 : 130));
const floodSeconds = Number(flags.flood);
const times = Number(flags.times);
const cutMs = 1000 * Number(/^(\d+)s?$/.exec(flags.cut)?.[1] ?? 0);
const rounds = Number(flags.rounds);
const roundsWellFormed = Number.isInteger(rounds) && rounds >= 1 && rounds <= 100;
const cutsMs = flags.cuts.split(',').map((text) => 1000 * Number(text));
const packets = Number(flags.count);
const seed = Number(flags.seed);
const packetsWellFormed = Number.isInteger(packets) && packets >= 1 && Number.isInteger(seed);
const healWellFormed = Number.isInteger(times) && times >= 1 && times <= 100 && cutMs >= 1000;
const wellFormed =
  healWellFormed &&
  roundsWellFormed &&
  packetsWellFormed &&
  cutsMs.every((ms) => ms >= 1000 && ms <= 600_000) &&
  sizes.every((n) => Number.isInteger(n) && n >= 2 && n <= 30) &&
  seconds >= 10 &&
  floodSeconds >= 10 &&
  floodSeconds <= 600;
const figures = collectFigures({ print: !flags.json });
const { quick, whole } = flags;
const progress = (text: string): void => {
  process.stderr.write(`${text}\n`);
};
/** In the order of `all`, which leaves out those of `apart`. */
const subjects: Record<string, () => Promise<void> | void> = {
  circle: () => measureCircle(figures),
  dns: () => measureDns(figures, { rounds }),
  packets: () => measurePackets(figures, { packets, seed }),
  propagate: () => measurePropagation(figures, { rounds, cutsMs }),
  accept: () => measureAccepting(figures, { rounds, quick }),
  passthrough: () => measurePassing(figures, { quick }),
  drain: () => measureDraining(figures, { rounds, quick, whole }),
  detect: () => measureDetecting(figures, { sizes, times, progress }),
  idle: () => measureIdle(figures, { sizes, seconds, quick, progress }),
  heal: () => (flags.nat ? measureRelayedHealing : measureHealing)(figures, { times, cutMs }),
  takeover: () => measureTakeover(figures, { sizes, times, progress }),
  doubts: () => measureDoubts(figures, { lossSeconds: Number(flags.for ?? 600), progress }),
  flood: () => measureFlood(figures, { seconds: floodSeconds, onlyWhole: whole }),
};
const apart = ['heal', 'flood', 'takeover', 'doubts'];
if (flags.help || !(what === 'all' || Object.hasOwn(subjects, what)) || !wellFormed) {
  console.log(usage);
  process.exit(flags.help ? 0 : 64);
}

const chosen = what === 'all' ? Object.keys(subjects).filter((name) => !apart.includes(name)) : [what];
for (const name of chosen) await subjects[name]?.();
if (flags.json) console.log(figures.json());
