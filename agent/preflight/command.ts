/** `evenkeel-agent preflight`: a checklist for people, JSON for programs, or the missing packages for a shell. */
import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { type Colour, checklist, tally } from '../../common/findings.ts';
import type { Facts, JoinString } from '../../protocol/messages.ts';
import { createBox } from './box.ts';
import { lookOf } from './look.ts';
import { type Preflight, preflight } from './preflight.ts';

interface Options {
  address: string;
  name: string;
  state: string;
  run: string;
  log: string;
  service: 'direct' | 'systemd';
  json: boolean;
  missingPackages: boolean;
}

export interface CommandOptions {
  /** @throws EvenkeelError invite-invalid */
  parse(text: string): JoinString;
  factsOf(own: Pick<Facts, 'address' | 'paths' | 'box'>): Promise<Facts>;
}

export function addPreflight(program: Command, { parse, factsOf }: CommandOptions): void {
  program
    .command('preflight')
    .description('whether this box fits the cluster that the join string names; changes nothing')
    .argument('<string>', 'what `evenkeel node invite` printed; it is not used up')
    .requiredOption('--address <address>', 'where balancers and other nodes reach this box')
    .option('--name <name>', 'the name of the node', hostname().toLowerCase())
    .option('--state <folder>', 'where the agent would keep its state', '/var/lib/evenkeel')
    .option('--run <folder>', 'sockets and pid files', '/run/evenkeel')
    .option('--log <folder>', 'logs of the daemons', '/var/log/evenkeel')
    .addOption(
      new Option('--service <driver>', 'what is to start and stop the daemons')
        .choices(['direct', 'systemd'])
        .default('direct'),
    )
    .option('--json', 'for programs', false)
    .option(
      '--missing-packages',
      'only the packages that the roles need and the box lacks, one a line',
      false,
    )
    .action(async (string: string, { address, name, state, run, log, service, ...shown }: Options) => {
      const box = createBox();
      const look = await lookOf(box);
      const facts = await factsOf({ address, paths: { state, run, log }, box: look });
      const result = await preflight({ box, invitation: parse(string), name, facts, look, service });
      process.stdout.write(shownAs(result, shown, colourFor(process.stdout)));
      const isAnswered = shown.missingPackages ? result.judged : result.ok;
      if (!isAnswered) process.exitCode = 1;
    });
}

export function shownAs(
  result: Preflight,
  { json, missingPackages }: Pick<Options, 'json' | 'missingPackages'>,
  colour: Colour,
): string {
  if (missingPackages) return result.packages.missing.map((one) => `${one}\n`).join('');
  if (json) return `${JSON.stringify(result, null, 2)}\n`;
  const { checks, ok } = result;
  const end = ok ? 'this box fits' : 'this box does not fit yet: nothing was changed';
  return `${checklist(checks, colour)}\n\n${tally(checks)}; ${end}\n`;
}

const codes = { good: 32, warn: 33, bad: 31, dim: 2 } as const;

/** Never in a pipe or a file, never where NO_COLOR is set. */
export const colourFor = ({ isTTY }: { isTTY?: boolean }): Colour =>
  isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
    ? (tone, text) => `\u001b[${codes[tone]}m${text}\u001b[0m`
    : (_, text) => text;
