import {
  type CompletedCommand,
  type CompletedOption,
  type CompletedValue,
  globalOptions,
  optionsWithValues,
} from './completion-tree.ts';

/** A word in single quotes for fish, which knows `\'` and `\\` inside them. */
const q = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** What may stand there, as arguments of `complete`. */
function offered(value: CompletedValue): string {
  switch (value.kind) {
    case 'words':
      return `-a ${q(value.words.join(' '))}`;
    case 'files':
      return '-F';
    case 'folders':
      return "-a '(__fish_complete_directories)'";
    case 'free':
      return '';
    case 'friend':
    case 'zone':
    case 'mail':
      return `-a ${q(`(__peer_names ${value.kind})`)}`;
  }
}

function optionLine(option: CompletedOption, condition: string): string {
  const { long, short, description, value } = option;
  const flags = [`-l ${long.slice(2)}`, ...(short === undefined ? [] : [`-s ${short.slice(1)}`])].join(' ');
  const takes = value === undefined ? '' : value.kind === 'files' ? ' -r -F' : ` -x ${offered(value)}`;
  return `complete -c peer${condition} ${flags}${takes.trimEnd()} -d ${q(description)}`;
}

/** A script that fish reads: `peer completion fish | source`, or as `~/.config/fish/completions/peer.fish`. */
export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const withValue = optionsWithValues(commands).flatMap(({ path, option: { long, short } }) =>
    [long, ...(short === undefined ? [] : [short])].map((word) => q(`${path ?? '*'}|${word}`)),
  );
  const deeper = commands
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => q(`${path.slice(0, -1).join(' ')}|${path.at(-1)}`));
  const lines = commands.flatMap(({ path, subcommands, options, arguments: values, isVariadic }) => {
    const spelled = path.join(' ');
    const at = (count: string): string => ` -n ${q(`__peer_at ${q(spelled)} ${count}`)}`;
    return [
      ...subcommands.map(
        ({ name, description }) => `complete -c peer${at('0')} -a ${q(name)} -d ${q(description)}`,
      ),
      ...values.flatMap((value, index) => {
        const isLast = isVariadic && index === values.length - 1;
        const words = offered(value);
        return words === '' ? [] : [`complete -c peer${at(isLast ? `${index} more` : `${index}`)} ${words}`];
      }),
      ...(path.length === 0 ? [] : options.map((option) => optionLine(option, at('0 more')))),
    ];
  });
  return [
    '# Completion of peer for fish: peer completion fish | source',
    '# The command of the words before the cursor, and how many arguments stand behind it.',
    'function __peer_walk',
    "    set -l path ''",
    '    set -l args 0',
    '    set -l expects 0',
    '    for word in (commandline -opc)[2..]',
    '        if test $expects = 1',
    '            set expects 0',
    '            continue',
    '        end',
    '        switch "$path|$word"',
    `            case ${withValue.join(' ')}`,
    '                set expects 1',
    "            case '*|-*'",
    `            case ${deeper.join(' ')}`,
    '                set path (string trim "$path $word")',
    '                set args 0',
    "            case '*'",
    '                set args (math $args + 1)',
    '        end',
    '    end',
    '    echo $path',
    '    echo $args',
    'end',
    'function __peer_at',
    '    set -l walked (__peer_walk)',
    '    test "$walked[1]" = "$argv[1]"; or return 1',
    '    test "$argv[3]" = more; and test $walked[2] -ge $argv[2]; and return 0',
    '    test $walked[2] -eq $argv[2]',
    'end',
    'function __peer_names',
    '    set -l home',
    '    set -l words (commandline -opc)',
    '    if set -l at (contains -i -- --home $words); and set -q words[(math $at + 1)]',
    '        set home --home $words[(math $at + 1)]',
    '    end',
    '    peer $home status --plain 2>/dev/null </dev/null | while read -l -d \\t record name rest',
    '        test "$record" = "$argv[1]"; and string match -qr \'^[A-Za-z0-9_.-]+$\' -- $name; and echo $name',
    '    end',
    'end',
    'complete -c peer -f',
    'complete -c copain -w peer',
    ...globalOptions(commands).map((option) => optionLine(option, '')),
    ...lines,
    '',
  ].join('\n');
}
