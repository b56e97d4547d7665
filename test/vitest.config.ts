import { defineConfig } from 'vitest/config';

const conditions = ['@copain/source', 'module', 'node', 'development|production'];

/** Files of end-to-end tests that start few processes and wait with patience, so that two of them may run at once. */
const together = [
  'address-update',
  'away',
  'boxes',
  'claims',
  'completion',
  'follow',
  'hostile-text',
  'invites',
  'mail-copies',
  'mail-raw',
  'mail-reading',
  'mail-recipients',
  'port-mapping',
  'removal',
  'rename',
  'restored',
  'save',
  'services',
  'takeover',
  'transfer-in',
  'transfer-in-signed',
  'transfer-out',
  'zone-check-signed',
  'zones',
].map((name) => `test/e2e/${name}.test.ts`);

/** Real daemons and real lines take their time: limits for what hangs. */
const e2e = { testTimeout: 120_000, hookTimeout: 120_000 };

/**
 * Three projects, one after the other: `unit` shares one process a worker; `e2e-together` starts real daemons two files at a time;
 * `e2e` measures lines and clocks and therefore runs file by file, with the machine to itself.
 */
export default defineConfig({
  ssr: { resolve: { conditions } },
  test: {
    reporters: ['default', './test/plain-count.ts'],
    coverage: { provider: 'v8', include: ['packages/*/src/**/*.ts'] },
    projects: [
      {
        ssr: { resolve: { conditions } },
        test: {
          name: 'unit',
          isolate: false,
          include: ['packages/*/src/**/*.test.ts', 'test/*.test.ts', 'test/sim/**/*.test.ts'],
          // A limit for what hangs, not for what is slow: simulations and properties share two cores with everything else.
          testTimeout: 30_000,
        },
      },
      {
        ssr: { resolve: { conditions } },
        test: { name: 'e2e-together', include: together, maxWorkers: 2, sequence: { groupOrder: 1 }, ...e2e },
      },
      {
        ssr: { resolve: { conditions } },
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: together,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          ...e2e,
        },
      },
    ],
  },
});
