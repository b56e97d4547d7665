import type { Reporter, TestModule } from 'vitest/node';

/**
 * Ends a run with one plain line that any log reader can count: "6 passed, 0 failed, 0 skipped". Checks that
 * `scripts/test` ran before (build, lint, dead code) are counted with it.
 */
export default class PlainCount implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const { CHECKS_PASSED = '0', CHECKS_FAILED = '0' } = process.env;
    const count = {
      passed: Number(CHECKS_PASSED),
      failed: Number(CHECKS_FAILED) + unhandledErrors.length,
      skipped: 0,
      pending: 0,
    };
    for (const module of modules) {
      const failedBefore = count.failed;
      for (const test of module.children.allTests()) count[test.result().state] += 1;
      if (module.state() === 'failed' && count.failed === failedBefore) count.failed += 1;
    }
    if (modules.length === 0) count.failed += 1;
    process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
  }
}
