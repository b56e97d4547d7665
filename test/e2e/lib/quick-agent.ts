/**
 * An agent as `peer up` runs it, but for one thing: services are tried every second or two, where users have a minute.
 * Started as a program of its own: node quick-agent.ts HOME
 */
import { join } from 'node:path';
import { runAgent } from '@copain/agent/io';

const home = process.argv[2] ?? '';
process.exitCode = await runAgent({
  paths: {
    configFile: join(home, 'peer.toml'),
    stateDir: join(home, 'state'),
    socketPath: join(home, 'peer.sock'),
    credentialsDir: undefined,
  },
  env: process.env,
  version: '0.0.0-test',
  servicePace: { everyMs: 700, retryMs: 250, lookEveryMs: 500, timeoutMs: 900 },
});
