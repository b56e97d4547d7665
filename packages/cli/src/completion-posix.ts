import {
  type CompletedCommand,
  type CompletedOption,
  type CompletedValue,
  globalOptions,
  optionsWithValues,
  shellQuoted,
} from './completion-tree.ts';

/*
 * bash and zsh read the same words in the same way (`path` is taken in zsh, hence `spot`); they differ in where the words are, and in how they are told what may
 * come. Nothing that an agent says is ever expanded: names with other characters than those of names are left out.
 */

const q = shellQuoted;

/** A branch of a `case` that says what may stand there: in `offered`, or in `kind`. None where nobody could guess it. */
function branch(pattern: string, value: CompletedValue): string[] {
  if (value.kind === 'free') return [];
  const says = value.kind === 'words' ? `offered=(${value.words.map(q).join(' ')})` : `kind=${value.kind}`;
  return [`      ${pattern}) ${says} ;;`];
}

function optionWords(options: readonly CompletedOption[]): string {
  return options
    .flatMap(({ long, short }) => (short === undefined ? [long] : [long, short]))
    .map(q)
    .join(' ');
}

/** Finds the command of the words before the cursor: `spot`, how many `args` stand behind it, the option that waits for its value. */
function walkCases(commands: readonly CompletedCommand[]): string[] {
  const withValue = optionsWithValues(commands).flatMap(({ path, option: { long, short } }) =>
    [long, ...(short === undefined ? [] : [short])].map((word) =>
      path === undefined ? `*${q(`|${word}`)}` : q(`${path}|${word}`),
    ),
  );
  const deeper = commands
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => q(`${path.slice(0, -1).join(' ')}|${path.at(-1)}`));
  return [
    `      ${withValue.join(' | ')}) expects=$word ;;`,
    `      *'|-'*) ;;`,
    `      ${deeper.join(' | ')}) spot="\${spot:+$spot }$word" args=0 ;;`,
    '      *) args=$((args + 1)) ;;',
  ];
}

function offerCases(commands: readonly CompletedCommand[]): string[] {
  const shared = optionWords(globalOptions(commands));
  const values = optionsWithValues(commands).flatMap(({ path, option: { long, short, value } }) =>
    [long, ...(short === undefined ? [] : [short])].flatMap((word) =>
      branch(path === undefined ? `*${q(`|${word}`)}` : q(`${path}|${word}`), value),
    ),
  );
  const options = commands
    .filter(({ path, options: own }) => path.length > 0 && own.length > 0)
    .map(({ path, options: own }) => `      ${q(path.join(' '))}) offered+=(${optionWords(own)}) ;;`);
  const words = commands.flatMap(({ path, subcommands, arguments: places, isVariadic }) => {
    const spelled = path.join(' ');
    const subs =
      subcommands.length === 0
        ? []
        : [`      ${q(`${spelled}|0`)}) offered=(${subcommands.map(({ name }) => q(name)).join(' ')}) ;;`];
    const given = places.flatMap((value, at) => {
      const isLast = isVariadic && at === places.length - 1;
      return branch(isLast ? `${q(`${spelled}|`)}*` : q(`${spelled}|${at}`), value);
    });
    return [...subs, ...given];
  });
  return [
    '  if [[ -n $expects ]]; then',
    '    case "$spot|$expects" in',
    ...values,
    '    esac',
    '  elif [[ $cur == -* ]]; then',
    `    offered=(${shared})`,
    '    case "$spot" in',
    ...options,
    '    esac',
    '  else',
    '    case "$spot|$args" in',
    ...words,
    '    esac',
    '  fi',
  ];
}

/** Asks the agent for names of one kind; each is the second field of a record of that kind. */
const namesFunction = (name: string): string[] => [
  `${name}() {`,
  '  local record name rest',
  `  "\${1##*/}" "\${@:3}" status --plain 2>/dev/null </dev/null | while IFS=$'\\t' read -r record name rest; do`,
  '    if [[ $record == "$2" && $name =~ ^[A-Za-z0-9_.-]+$ ]]; then printf \'%s\\n\' "$name"; fi',
  '  done',
  '}',
];

/** A script that bash reads: `source <(peer completion bash)`. */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  return [
    '# Completion of peer for bash: source <(peer completion bash)',
    ...namesFunction('_peer_names'),
    '_peer() {',
    `  local cur=\${COMP_WORDS[COMP_CWORD]} spot= expects= kind= word index args=0 offered=() home=()`,
    '  COMPREPLY=()',
    '  for ((index = 1; index < COMP_CWORD; index++)); do',
    `    word=\${COMP_WORDS[index]}`,
    '    if [[ -n $expects ]]; then',
    '      # bash makes three words of --home=DIR.',
    '      [[ $word == = ]] && continue',
    '      [[ $expects == --home ]] && home=(--home "$word")',
    '      expects=',
    '      continue',
    '    fi',
    '    case "$spot|$word" in',
    ...walkCases(commands),
    '    esac',
    '  done',
    '  [[ -n $expects && $cur == = ]] && cur=',
    ...offerCases(commands),
    '  case $kind in',
    '    files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;',
    '    folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;',
    `    ?*) mapfile -t offered < <(_peer_names "\${COMP_WORDS[0]}" "$kind" "\${home[@]}") ;;`,
    '  esac',
    `  for word in "\${offered[@]}"; do`,
    '    [[ $word == "$cur"* ]] && COMPREPLY+=("$word")',
    '  done',
    '}',
    'complete -F _peer peer copain',
    '',
  ].join('\n');
}

/** A script that zsh reads: `source <(peer completion zsh)`, or as a file `_peer` in a folder of `$fpath`. */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
  const described = commands.flatMap(({ path, subcommands }) =>
    subcommands.map(({ name, description }) => `    ${q([...path, name].join(' '))} ${q(description)}`),
  );
  return [
    '#compdef peer copain',
    '# Completion of peer for zsh: source <(peer completion zsh), after compinit',
    ...namesFunction('_peer_names'),
    '_peer() {',
    '  emulate -L zsh',
    `  local cur=\${words[CURRENT]} spot= expects= kind= word args=0 index`,
    '  local -a offered home shown',
    '  local -A says=(',
    ...described,
    '  )',
    '  for ((index = 2; index < CURRENT; index++)); do',
    `    word=\${words[index]}`,
    '    if [[ -n $expects ]]; then',
    `      [[ $expects == --home ]] && home=(--home "\${(Q)word}")`,
    '      expects=',
    '      continue',
    '    fi',
    '    case "$spot|$word" in',
    ...walkCases(commands),
    '    esac',
    '  done',
    ...offerCases(commands),
    '  case $kind in',
    '    files) _files; return ;;',
    '    folders) _files -/; return ;;',
    `    ?*) offered=("\${(@f)$(_peer_names "\${(Q)words[1]}" "$kind" "\${home[@]}")}") ;;`,
    '  esac',
    `  offered=("\${(@)offered:#}")`,
    `  for word in "\${offered[@]}"; do`,
    `    shown+=("$word\${says[\${spot:+$spot }$word]:+  -- \${says[\${spot:+$spot }$word]}}")`,
    '  done',
    `  ((\${#offered})) && compadd -l -d shown -a offered`,
    '}',
    '# As a file of $fpath it is called at once; read into a shell it is registered.',
    `if [[ \${funcstack[1]} == _peer ]]; then _peer "$@"; else compdef _peer peer copain; fi`,
    '',
  ].join('\n');
}
