import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bashCompletion } from '../completion-posix.ts';
import { completedCommands } from '../completion-tree.ts';
import { buildProgram } from './program.ts';
import type { World } from './session.ts';

const folder = mkdtempSync(join(tmpdir(), 'copain-completion-'));
const program = buildProgram({ env: {}, version: '' } as World, () => undefined);
const commands = completedCommands(program);

beforeAll(() => {
  writeFileSync(join(folder, 'peer.bash'), bashCompletion(commands));
  mkdirSync(join(folder, 'bin'));
  // An agent whose friends call themselves whatever they like.
  const records = [
    'friend\tbob\tup\t-',
    'friend\tbob-2\tup\t-',
    'friend\t$(touch hacked)\tup\t-',
    'friend\tb o b\tup\t-',
    'friend\t`touch hacked`\tup\t-',
    'friend\t;touch hacked\tup\t-',
    'zone\talice.example\talice\tprimary\t1\t-',
    'copy\talice.example\tbob\t1\t-',
    'mail\tmail.example\talice\tprimary\tlive\t0\t0\t-',
  ];
  writeFileSync(join(folder, 'records'), `${records.join('\n')}\n`);
  const peer = `#!/bin/sh\necho "$@" >> '${folder}/asked'\ncat '${folder}/records'\n`;
  writeFileSync(join(folder, 'bin', 'peer'), peer);
  chmodSync(join(folder, 'bin', 'peer'), 0o700);
  writeFileSync(join(folder, 'invite one.txt'), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What bash offers for these words, the last of which is being typed. */
function offered(...words: string[]): string[] {
  const script = `source '${folder}/peer.bash'
    complete -p peer copain >/dev/null || exit 1
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _peer
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const ran = spawnSync('bash', ['--norc', '-c', script, 'bash', 'peer', ...words], {
    cwd: folder,
    env: { PATH: `${join(folder, 'bin')}:${process.env.PATH}` },
    encoding: 'utf8',
  });
  expect([ran.status, ran.stderr]).toEqual([0, '']);
  return ran.stdout.split('\n').filter((line) => line !== '');
}

describe('completion in bash', () => {
  it('offers every command where one is due, and those that begin as it was typed', () => {
    expect(offered('')).toEqual([...program.commands.map((command) => command.name()), 'help']);
    expect(offered('fri')).toEqual(['friends']);
    expect(offered('friends', 'r')).toEqual(['rename', 'remove']);
    expect(offered('mail', 'quarantine', '')).toEqual(['list', 'show', 'release', 'delete']);
    expect(offered('help', 'comp')).toEqual(['completion']);
    expect(offered('nonsense', '')).toEqual([]);
  });

  it('offers the options of a command with those that work everywhere', () => {
    expect(offered('friends', 'remove', '--')).toEqual([
      '--home',
      '--json',
      '--yes',
      '--no-input',
      '--help',
      '--force',
    ]);
    expect(offered('events', '-')).toEqual(expect.arrayContaining(['-f', '--follow', '--since', '-h']));
    expect(offered('status', '--wa')).toEqual(['--watch']);
  });

  it('offers the words of an argument or an option that has a choice', () => {
    expect(offered('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(offered('service', 'pin', 'web', '')).toEqual(['up', 'down', 'obey']);
    expect(offered('mail', 'add', 'alice.example', '--client', 'proxy')).toEqual(['proxy-v1', 'proxy-v2']);
    expect(offered('mail', 'add', '--client', '=', 'x')).toEqual(['xclient']);
  });

  it('offers names that the agent of that home knows, and none that a shell would obey', () => {
    expect(offered('--home', '/x', 'friends', 'show', '')).toEqual(['bob', 'bob-2']);
    expect(offered('friends', '--json', 'rename', 'bob-')).toEqual(['bob-2']);
    expect(offered('friends', 'rename', 'bob', '')).toEqual([]);
    expect(offered('zone', 'show', 'a')).toEqual(['alice.example']);
    expect(offered('zone', 'add', 'a')).toEqual([]);
    expect(offered('mail', 'flush', '')).toEqual(['mail.example']);
    expect(offered('drill', '--friend', '')).toEqual(['bob', 'bob-2']);
    const asked = spawnSync('cat', [join(folder, 'asked')], { encoding: 'utf8' }).stdout.split('\n');
    expect(asked[0]).toBe('--home /x status --plain');
    expect(spawnSync('ls', [folder], { encoding: 'utf8' }).stdout).not.toContain('hacked');
  });

  it('offers files and folders where the word is one', () => {
    expect(offered('join', '--code-file', 'inv')).toEqual(['invite one.txt']);
    expect(offered('--home', 'b')).toEqual(['bin']);
    expect(offered('friends', 'show', 'inv')).toEqual([]);
  });
});
