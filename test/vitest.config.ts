import { defineConfig } from 'vitest/config';

const conditions = ['@copain/source', 'module', 'node', 'development|production'];

/** Two projects: `unit` shares one process a worker, `e2e` starts real daemons and therefore runs file by file. */
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
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
