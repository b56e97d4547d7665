import { Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { makeLog } from './log.ts';

/** What a log writes, once it has written something. */
async function lines(isTerminal: boolean, say: (log: Awaited<ReturnType<typeof makeLog>>) => void) {
  let written = '';
  const log = await makeLog({
    level: 'info',
    isTerminal,
    to: new Writable({
      decodeStrings: false,
      write: (text: Buffer | string, _encoding, done) => {
        written += text.toString();
        done();
      },
    }),
  });
  say(log);
  await expect.poll(() => written).not.toBe('');
  return written;
}

const hidden = /[^\P{Cc}\n]|\p{Bidi_Control}|[\u200b-\u200f\u2060-\u206f\ufeff]/u;
const hostile = '\u001b[31m\u202eevil\u200b\u009b2J\r\n[12:00:00] INFO: all is well __proto__';

it.each([
  { isTerminal: false, what: 'as JSON' },
  { isTerminal: true, what: 'on a terminal' },
])(
  'what others say stands in the log $what as harmless text, on the line it belongs to',
  async ({ isTerminal }) => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.constant(hostile), fc.string({ unit: 'binary' })), async (text) => {
        const say = (said: string) =>
          lines(isTerminal, (log) =>
            log.warn({ helo: said, ['__proto__']: said, list: [said] }, `he says ${said}`),
          );
        const written = await say(text);
        expect(written).not.toMatch(hidden);
        expect(written.split('\n').length).toBe((await say('x')).split('\n').length);
      }),
      { numRuns: 20 },
    );
    expect(await lines(isTerminal, (log) => log.warn({ err: new Error(hostile) }, 'x'))).not.toMatch(hidden);
  },
);

it('a name of 10 kB does not fill the terminal', async () => {
  const written = await lines(true, (log) => log.info({ name: 'n'.repeat(10_000) }, 'x'.repeat(10_000)));
  expect(written.length).toBeLessThan(5000);
});
