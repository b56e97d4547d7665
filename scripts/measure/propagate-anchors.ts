import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, within } from '../../test/e2e/lib/run.ts';

/** Where a server of a measurement runs. */
export interface Place {
  namespace: string;
  host: string;
  folder: string;
}

/** A primary with NSD, Knot and BIND as its secondaries, all with their default timers. */
export interface Anchor extends AsyncDisposable {
  /** Replaces one record by a dynamic update; resolves when it is acknowledged. */
  change(host: number): Promise<void>;
}

/** Starts them in these places, `primary` being BIND or Knot. Resolves without waiting for the transfers. */
export async function startAnchor(options: {
  kind: 'bind' | 'knot';
  origin: string;
  zone: string;
  primary: Place;
  secondaries: readonly [nsd: Place, knot: Place, bind: Place];
}): Promise<Anchor> {
  const { kind, origin, primary, secondaries } = options;
  const [nsd, knot, bind] = secondaries;
  const hosts = secondaries.map(({ host }) => host);
  for (const { folder } of [primary, ...secondaries]) mkdirSync(join(folder, 'db'), { recursive: true });
  const write = ({ folder }: Place, name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  write(primary, 'zone', options.zone);
  const commands: [Place, string[]][] = [
    [primary, kind === 'bind' ? namedPrimary(primary) : knotPrimary(primary)],
    [nsd, ['nsd', '-d', '-c', write(nsd, 'conf', nsdSecondary(nsd))]],
    [knot, ['knotd', '-c', write(knot, 'conf', knotSecondary(knot))]],
    [bind, ['named', '-f', '-c', write(bind, 'conf', namedSecondary(bind))]],
  ];

  function namedBase({ folder }: Place): string {
    return `options { directory "${folder}"; listen-on { any; }; listen-on-v6 { none; }; recursion no;
  pid-file "${folder}/pid"; session-keyfile "${folder}/session.key"; dnssec-validation no; };
controls { };
`;
  }
  function namedPrimary(place: Place): string[] {
    const text = `${namedBase(place)}zone "${origin}" { type primary; file "zone"; allow-update { any; };
  allow-transfer { any; }; notify explicit; also-notify { ${hosts.map((host) => `${host}; `).join('')}}; };
`;
    return ['named', '-f', '-c', write(place, 'conf', text)];
  }
  function namedSecondary(place: Place): string {
    return `${namedBase(place)}zone "${origin}" { type secondary; file "copy"; primaries { ${primary.host}; }; notify no; };\n`;
  }
  function knotBase({ folder, host }: Place): string {
    return `server:
    rundir: "${folder}"
    pidfile: "${folder}/pid"
    listen: ${host}@53
database:
    storage: "${folder}/db"
log:
  - target: ${folder}/log
    any: info
`;
  }
  function knotPrimary(place: Place): string[] {
    const remotes = hosts.map((host, index) => `  - id: s${index}\n    address: ${host}@53\n`).join('');
    const text = `${knotBase(place)}remote:
${remotes}acl:
  - id: any
    action: [transfer, update]
zone:
  - domain: ${origin}
    storage: "${place.folder}"
    file: zone
    notify: [${hosts.map((_, index) => `s${index}`).join(', ')}]
    acl: any
    zonefile-load: difference
`;
    return ['knotd', '-c', write(place, 'conf', text)];
  }
  function knotSecondary(place: Place): string {
    return `${knotBase(place)}remote:
  - id: p
    address: ${primary.host}@53
acl:
  - id: n
    address: ${primary.host}
    action: notify
zone:
  - domain: ${origin}
    storage: "${place.folder}"
    file: copy
    master: p
    acl: n
`;
  }
  function nsdSecondary({ folder, host }: Place): string {
    return `server:
  ip-address: ${host}
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  database: ""
  pidfile: "${folder}/pid"
  xfrdfile: "${folder}/xfrd"
  zonelistfile: "${folder}/zones"
  logfile: "${folder}/log"
  xfrdir: "${folder}"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: ${origin}
  zonefile: copy
  allow-notify: ${primary.host} NOKEY
  request-xfr: ${primary.host} NOKEY
`;
  }

  const children: ChildProcess[] = commands.map(([place, command]) => {
    const [program, args] = within(place.namespace, command);
    return spawn(program, args, { stdio: 'ignore' });
  });
  return {
    change: async (host) => {
      const update = `server ${primary.host}\nzone ${origin}\nupdate delete www.${origin} A\nupdate add www.${origin} 300 A 192.0.2.${host}\nsend\n`;
      const ran = await run(['nsupdate'], { stdin: update, namespace: primary.namespace });
      if (ran.code !== 0) throw new Error(`nsupdate: ${ran.stderr}`);
    },
    [Symbol.asyncDispose]: async () => {
      for (const child of children) {
        if (child.exitCode !== null) continue;
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
        await ended;
        clearTimeout(timer);
      }
    },
  };
}
