import type { Readable, Writable } from 'node:stream';
import { styleText } from 'node:util';
import type { HomePaths } from '@copain/agent';
import { CommandError, ExitCode, visibleJson } from '@copain/core';
import type { TextOptions, Tone } from '@copain/status';
import { type AskOptions, ask } from './client.ts';
import { homePaths } from './home-paths.ts';

/** What a command has of the world: everything it reads and writes goes through here. */
export interface World {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  uid: number;
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable & { isTTY?: boolean };
  /** Aborted when the person presses ^C. From the first look at it on, ^C no longer ends the process by itself. */
  readonly interrupted: AbortSignal;
  version: string;
}

/** Options that every command has. */
export interface GlobalOptions {
  home?: string | undefined;
  json?: boolean | undefined;
  yes?: boolean | undefined;
  /** false: `--no-input`. */
  input?: boolean | undefined;
}

const toneFormats: Record<Tone, Parameters<typeof styleText>[0]> = {
  good: 'green',
  warn: 'yellow',
  bad: 'red',
  calm: 'blue',
  dim: 'dim',
  bold: 'bold',
};

/** One run of one command: its box, its manner of answering, and its questions to the person. */
export class Session {
  readonly world: World;
  readonly isJson: boolean;
  readonly #options: GlobalOptions;
  readonly paths: HomePaths;

  constructor(world: World, options: GlobalOptions) {
    this.world = world;
    this.#options = options;
    this.isJson = options.json === true;
    const { env, uid, cwd } = world;
    this.paths = homePaths({ home: options.home, env, uid, cwd });
  }

  /** The answer, on stdout: the document with `--json`, else the text. */
  answer(schema: string, document: object, text: string): void {
    const shown = this.isJson
      ? `${visibleJson(JSON.stringify({ schema: `peer.${schema}/1`, ...document }, null, 2))}\n`
      : text;
    this.world.stdout.write(shown);
  }

  /** A message for the person, on stderr. */
  say(text: string): void {
    this.world.stderr.write(`${text}\n`);
  }

  /** How tables are written: colours and shapes as the terminal can show them. */
  textOptions(): TextOptions {
    const { env, stdout } = this.world;
    const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
    return {
      nowMs: Date.now(),
      shapes: /utf-?8/i.test(locale) ? 'unicode' : 'ascii',
      paint: (tone, text) =>
        styleText(toneFormats[tone], text, { stream: stdout as Writable & NodeJS.WritableStream }),
    };
  }

  /** Asks the agent. See `ask` for the errors. */
  async ask(
    command: string,
    args: Record<string, unknown> = {},
    more: Partial<AskOptions> = {},
  ): Promise<unknown> {
    return await ask({ socketPath: this.paths.socketPath, command, args, ...more });
  }

  /** Can the person be asked? */
  canAsk(): boolean {
    return this.world.stdin.isTTY === true && this.#options.input !== false;
  }

  /** Asks for a line of text. Throws CommandError (64) with `instead` as its hint where nobody can answer. */
  async question(
    text: string,
    options: { instead: string; otherwise?: string | undefined },
  ): Promise<string> {
    const { instead, otherwise } = options;
    if (!this.canAsk())
      throw new CommandError(ExitCode.usage, `nobody is there to answer: ${text}`, { hint: instead });
    const { createInterface } = await import('node:readline/promises');
    const { stdin, stderr, interrupted } = this.world;
    const prompt = createInterface({ input: stdin, output: stderr });
    try {
      const suffix = otherwise === undefined ? ' ' : ` [${otherwise}] `;
      const answer = (await prompt.question(text + suffix, { signal: interrupted })).trim();
      return answer === '' ? (otherwise ?? '') : answer;
    } finally {
      prompt.close();
    }
  }

  /** Asks yes or no; `--yes` answers yes. Throws CommandError (64) where nobody can answer; `orElse`: another way out. */
  async confirm(text: string, orElse?: string): Promise<boolean> {
    if (this.#options.yes === true) return true;
    const answer = await this.question(`${text} [y/N]`, {
      instead: orElse === undefined ? 'add --yes' : `add --yes, or ${orElse}`,
    });
    return /^y(es)?$/i.test(answer);
  }
}
