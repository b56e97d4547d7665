/** What may stand for an argument or for the value of an option. */
export type CompletedValue =
  | { kind: 'words'; words: readonly string[] }
  /** A file, or a folder, of the person's. */
  | { kind: 'files' | 'folders' }
  /** Names that the running agent knows. */
  | { kind: 'friend' | 'zone' | 'mail' }
  /** Nothing that anybody could guess. */
  | { kind: 'free' };

export interface CompletedOption {
  /** `--home`. */
  long: string;
  /** `-f`. */
  short: string | undefined;
  description: string;
  /** Undefined: it takes none. */
  value: CompletedValue | undefined;
}

/** A command as shells complete it. */
export interface CompletedCommand {
  /** The words after `peer`; empty for `peer` itself. */
  path: readonly string[];
  description: string;
  subcommands: readonly { name: string; description: string }[];
  /** Its own; those of `peer` itself work everywhere. */
  options: readonly CompletedOption[];
  arguments: readonly CompletedValue[];
  /** The last argument may come again. */
  isVariadic: boolean;
}

/** What is read of a command of commander, and of its arguments and options. */
export interface DescribedCommand {
  name(): string;
  description(): string;
  commands: readonly DescribedCommand[];
  registeredArguments: readonly { name(): string; argChoices?: string[] | undefined; variadic: boolean }[];
  options: readonly {
    long?: string | undefined;
    short?: string | undefined;
    flags: string;
    description: string;
    required: boolean;
    optional: boolean;
    argChoices?: string[] | undefined;
  }[];
}

/** Commands whose `<name>` is a friend; that of the others is one to be invented, or a service. */
const aboutFriends = new Set([
  'doctor line',
  'friends may',
  'friends quota',
  'friends remove',
  'friends show',
  'key words',
  'mail receipts',
  'status',
]);

function completedValue(named: string, choices: readonly string[] | undefined, path: string): CompletedValue {
  if (choices !== undefined) return { kind: 'words', words: choices };
  // What is added is not there yet.
  const isNew = path.endsWith(' add');
  switch (named) {
    case 'file':
    case 'path':
      return { kind: 'files' };
    case 'dir':
      return { kind: 'folders' };
    case 'name':
      return { kind: aboutFriends.has(path) ? 'friend' : 'free' };
    case 'old':
      return { kind: 'friend' };
    case 'origin':
      return { kind: isNew ? 'free' : 'zone' };
    case 'domain':
      return { kind: isNew ? 'free' : 'mail' };
    default:
      return { kind: 'free' };
  }
}

/** All commands, `peer` itself first, in the order of the help. */
export function completedCommands(
  program: DescribedCommand,
  path: readonly string[] = [],
): CompletedCommand[] {
  const spelled = path.join(' ');
  const subcommands = program.commands.map((sub) => ({ name: sub.name(), description: sub.description() }));
  const help = { name: 'help', description: 'show the help of a command' };
  const own: CompletedCommand = {
    path,
    description: program.description(),
    subcommands: path.length === 0 ? [...subcommands, help] : subcommands,
    options: program.options.flatMap((option): CompletedOption[] => {
      const { long, short, description, argChoices } = option;
      if (long === undefined) return [];
      const named = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1] ?? '';
      const isFriend = long === '--friend' || long === '--about';
      const value =
        option.required || option.optional
          ? isFriend
            ? ({ kind: 'friend' } as const)
            : completedValue(named, argChoices, spelled)
          : undefined;
      return [{ long, short, description, value }];
    }),
    arguments: program.registeredArguments.map((argument) =>
      completedValue(argument.name(), argument.argChoices, spelled),
    ),
    isVariadic: program.registeredArguments.at(-1)?.variadic ?? false,
  };
  const below = program.commands.flatMap((sub) => completedCommands(sub, [...path, sub.name()]));
  if (path.length > 0) return [own, ...below];
  const words = subcommands.map(({ name }) => name);
  const helpCommand: CompletedCommand = {
    ...own,
    path: ['help'],
    description: help.description,
    subcommands: [],
    options: [],
    arguments: [{ kind: 'words', words }],
  };
  return [own, ...below, helpCommand];
}

/** Options of every command, `--help` among them. */
export function globalOptions(commands: readonly CompletedCommand[]): CompletedOption[] {
  const help = { long: '--help', short: '-h', description: 'show what a command does', value: undefined };
  const own = commands.find(({ path }) => path.length === 0)?.options ?? [];
  // `--version` stands alone, and is one word that nobody needs help with.
  return [...own.filter(({ long }) => long !== '--version'), help];
}

/** Every option that takes a value, as `path|--option`; those of `peer` itself with any path. */
export function optionsWithValues(
  commands: readonly CompletedCommand[],
): { path: string | undefined; option: CompletedOption & { value: CompletedValue } }[] {
  return commands.flatMap(({ path, options }) =>
    options.flatMap((option) =>
      option.value === undefined
        ? []
        : [
            {
              path: path.length === 0 ? undefined : path.join(' '),
              option: { ...option, value: option.value },
            },
          ],
    ),
  );
}

/** A word in single quotes, for bash and zsh. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
