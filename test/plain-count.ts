import type { Reporter, TestModule } from 'vitest/node';

/** Ends a run with one plain line that any log reader can count: "6 passed, 0 failed, 0 skipped". */
export default class PlainCount implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      const failedBefore = count.failed;
      for (const test of module.children.allTests()) count[test.result().state] += 1;
      if (module.state() === 'failed' && count.failed === failedBefore) count.failed += 1;
    }
    if (modules.length === 0) count.failed += 1;
    process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
  }
}
