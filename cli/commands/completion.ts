/** `evenkeel completion` and `evenkeel manual`: what a shell completes and what `man` shows, from the commands themselves. */
import type { Command, Option } from 'commander';

/** Not in the help: the installer puts both in their place. */
export function addCompletion(program: Command): void {
  program
    .command('completion', { hidden: true })
    .description('print what bash reads to complete commands and options')
    .action(() => {
      process.stdout.write(completionOf(program));
    });
  program
    .command('manual', { hidden: true })
    .description('print the manual page')
    .action(() => {
      process.stdout.write(manualOf(program));
    });
}

const shown = (command: Command): Command[] => command.createHelp().visibleCommands(command) as Command[];

/** Every command with the words that lead to it. */
function everyCommand(command: Command, path: string[] = []): { path: string[]; command: Command }[] {
  return [{ path, command }, ...shown(command).flatMap((one) => everyCommand(one, [...path, one.name()]))];
}

const wordsOf = (command: Command): string[] => [
  ...shown(command).map((one) => one.name()),
  ...command.options.flatMap(({ long }) => long ?? []),
  '--help',
];

/** A function that knows the words after each command; names of sites and nodes are not asked of the manager. */
export function completionOf(program: Command): string {
  const cases = everyCommand(program).map(
    ({ path, command }) => `    '${path.join(' ')}') words='${wordsOf(command).join(' ')}' ;;`,
  );
  return `# Completes evenkeel in bash.
_evenkeel() {
  local word path='' words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case $word in -*) continue ;; esac
    case " $(_evenkeel_words "$path") " in *" $word "*) path="\${path:+$path }$word" ;; esac
  done
  words=$(_evenkeel_words "$path")
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
_evenkeel_words() {
  local words=''
  case $1 in
${cases.join('\n')}
  esac
  printf '%s' "$words"
}
complete -o default -F _evenkeel evenkeel
`;
}

/** Lines that begin with a dot or a quote are orders to troff; a backslash begins an escape; a hyphen may be broken. */
const troff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&');

const optionLines = ({ flags, description }: Option): string =>
  `.TP\n.B ${troff(flags)}\n${troff(description)}\n`;

/** man(7) of all commands. */
export function manualOf(program: Command): string {
  const commands = everyCommand(program).filter(({ path }) => path.length > 0);
  const sections = commands.map(({ path, command }) => {
    const options = command.options.map(optionLines).join('');
    const usage = `evenkeel ${path.join(' ')} ${command.usage()}`;
    return `.SS ${troff(usage)}\n${troff(command.description())}\n${options}`;
  });
  return `.TH EVENKEEL 1 "" "Evenkeel ${program.version() ?? ''}" "User Commands"
.SH NAME
evenkeel \\- keeps a web\\-hosting cluster on an even keel
.SH SYNOPSIS
.B evenkeel
.RI [ options ]
.I command
.SH DESCRIPTION
${troff(program.description())}
.SH OPTIONS
${program.options.map(optionLines).join('')}.SH COMMANDS
${sections.join('')}.SH FILES
.TP
.I ~/.config/evenkeel/config.json
Where the manager is, the certificate of its authority, and a token.
`;
}
