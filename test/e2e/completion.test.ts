import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { runWell } from './lib/run.ts';
import { openScene } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['bash', 'zsh', 'fish'] }, 'completion in bash, zsh and fish') !== undefined;
const folder = mkdtempSync(join(tmpdir(), 'copain-e2e-shells-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const bin = dirname(new URL('../../packages/cli/bin/peer', import.meta.url).pathname);

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

describe.skipIf(skip)('a shell that completes peer', () => {
  let alice: Box;
  const script = (shell: string): string => join(folder, `peer.${shell}`);

  /** What it offers for this line, with the cursor at its end. */
  const offered: Record<'bash' | 'fish', (line: string) => Promise<string[]>> = {
    bash: async (line) =>
      lines(
        await runWell([
          'bash',
          '--norc',
          '-c',
          `PATH=${bin}:$PATH; source ${script('bash')}; COMP_WORDS=(${line.replace(/ $/, " ''")}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _peer; printf '%s\\n' "\${COMPREPLY[@]}"`,
        ]),
      ),
    fish: async (line) =>
      lines(
        await runWell([
          'fish',
          '--no-config',
          '-c',
          `set -x PATH ${bin} $PATH; source ${script('fish')}; complete -C '${line}'`,
        ]),
      ).map((one) => one.split('\t')[0] ?? ''),
  };
  const lines = (text: string): string[] => text.split(/[\r\n]+/).filter((line) => line !== '');

  beforeAll(async () => {
    const block = await freshBlock();
    alice = scene.box({ name: 'alice', host: block.of(1) });
    await alice.init();
    await alice.up();
    const file = alice.write('alice.zone', zoneText({ serial: 1, ns1: alice.host, ns2: alice.host }));
    await alice.well(['zone', 'add', 'alice.example', '--file', file]);
    for (const shell of ['bash', 'zsh', 'fish'])
      writeFileSync(script(shell), await alice.well(['completion', shell]));
  });

  for (const shell of ['bash', 'fish'] as const) {
    it(`${shell} offers commands, options, choices, and the zones of the agent of that home`, async () => {
      const ask = offered[shell];
      expect(await ask('peer fri')).toEqual(['friends']);
      expect((await ask('peer friends ')).toSorted()).toEqual([
        'list',
        'may',
        'quota',
        'remove',
        'rename',
        'show',
      ]);
      expect(await ask('peer friends remove --fo')).toEqual(['--force']);
      expect(await ask('peer friends show --fo')).toEqual([]);
      expect((await ask('peer mail add x --client proxy')).toSorted()).toEqual(['proxy-v1', 'proxy-v2']);
      expect((await ask('copain completion ')).toSorted()).toEqual(['bash', 'fish', 'zsh']);
      expect(await ask(`peer --home ${alice.home} zone show al`)).toEqual(['alice.example']);
    });
  }

  /**
   * Types the line at a zsh in a terminal of its own and presses the Tab key once; resolves when all of these stand on its
   * screen one after the other, and rejects after ten seconds.
   */
  async function zshShows(line: string, ...expected: string[]): Promise<void> {
    const setup = [
      'unsetopt prompt_cr',
      `PATH=${bin}:$PATH`,
      'autoload -Uz compinit',
      'compinit -u -D',
      `source ${script('zsh')}`,
      'stty columns 300',
      "PS1='rea''dy> '",
    ];
    const driver = [
      'zmodload zsh/zpty',
      'zpty shell zsh -f -i',
      `zpty -w shell ${quoted(setup.join('; '))}`,
      "zpty -r shell out '*ready> *'",
      `zpty -w -n shell ${quoted(line)}`,
      // A Tab behind keys that wait to be read is taken for a character, as in a paste.
      `zpty -r -m shell out ${quoted(`*${line.trim().slice(-4)}*`)}`,
      "zpty -w -n shell $'\\t'",
      `zpty -r -m shell out ${quoted(`*${expected.join('*')}*`)}`,
      'zpty -d shell',
    ];
    writeFileSync(join(folder, 'driver.zsh'), driver.join('\n'));
    await runWell(['zsh', '-f', join(folder, 'driver.zsh')], { limitMs: 10_000 });
  }

  it('zsh writes what alone fits behind the cursor, and lists with descriptions what there is otherwise', async () => {
    await zshShows('peer fri', 'ends');
    await zshShows(
      'peer alerts ',
      'list  -- what is wrong',
      'mute  -- say nothing',
      'test  -- send a real message',
    );
    await zshShows(`peer --home ${alice.home} zone show al`, 'ice.example');
  });
});
