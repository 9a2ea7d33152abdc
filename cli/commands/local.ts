/** `evenkeel local`: this box as its root sees it, and the few things that he may do on it. The cluster is the manager's. */
import type { Command } from 'commander';
import type { Left, LocalStatus } from '../../protocol/local.ts';
import { UsageError } from '../failure.ts';
import { askLocal, RUN_FOLDER } from '../local-client.ts';
import type { Tone } from '../paint.ts';
import { withProgress } from '../progress.ts';
import { type Session, sessionOf } from '../session.ts';
import { clockTime, relative } from '../time.ts';
import { planText } from './plan.ts';

interface LocalOptions {
  run: string;
  reason?: string;
}

/** The options of `local` itself, which stand before the word. */
const runOf = (command: Command): string => command.optsWithGlobals<LocalOptions>().run;

export function addLocal(program: Command): void {
  const local = program
    .command('local')
    .description(
      'this box by itself, for its root: status, sites, packages, services, plan, restart, hold, release',
    )
    .option('--run <folder>', 'the run folder of the agent', RUN_FOLDER)
    .argument('[words...]')
    .allowUnknownOption()
    .action(async (words: string[], _: object, command: Command) => {
      if (words.length === 0) return status(command);
      const [word = ''] = words;
      if (!program.commands.some((one) => one.name() === word))
        throw new UsageError(
          `there is no \`local ${word}\``,
          'evenkeel local --help lists what a box may do by itself',
        );
      throw await elsewhere(words, runOf(command));
    });
  local.configureHelp({ showGlobalOptions: true });
  local
    .command('status')
    .description('who this box is, whether the manager is reached, and how all of it is')
    .action((_: object, command: Command) => status(command));
  local
    .command('services')
    .description('the daemons that the agent has started')
    .action((_: object, command: Command) => services(command));
  local
    .command('sites')
    .description('the sites of this box, and which are not served as they are declared')
    .action((_: object, command: Command) => sites(command));
  local
    .command('packages')
    .description('the packages that the roles of this box need, and which are installed')
    .action((_: object, command: Command) => packages(command));
  local
    .command('plan')
    .description('what would change on this box now; touches nothing')
    .action((_: object, command: Command) => plan(command));
  local
    .command('restart')
    .description('end the daemon of a unit and start it on what it serves')
    .argument('<unit>', 'as `local services` names it')
    .action(async (unit: string, _: object, command: Command) => {
      const session = sessionOf(command);
      const answer = await askLocal(runOf(command), 'restart', { unit });
      session.print(answer, () => `${unit} is restarted; local services shows its new pid`);
    });
  local
    .command('hold')
    .description(
      'nothing is changed on this box any more, whatever the cluster wants; what is served goes on',
    )
    .requiredOption('--reason <text>', 'why; the manager shows it')
    .action(async ({ reason = '' }: LocalOptions, command: Command) => {
      const session = sessionOf(command);
      const answer = await askLocal(runOf(command), 'hold', { reason });
      session.print(answer, () => 'this box is on hold; evenkeel local release ends it');
    });
  local
    .command('release')
    .description('end the hold of this box')
    .action(async (_: object, command: Command) => {
      const session = sessionOf(command);
      const answer = await askLocal(runOf(command), 'release');
      session.print(answer, () =>
        answer.released ? 'this box follows the cluster again' : 'it was not on hold by this box itself',
      );
    });
}

/** Whatever else is wanted is for the manager to do, and he is named. */
async function elsewhere(words: string[], run: string): Promise<Error> {
  const said = words.join(' ');
  const { node, manager } = await askLocal(run, 'status');
  return new UsageError(
    `\`${said}\` is not for a box to do by itself: this is node ${node} of the cluster of ${manager.address}`,
    `ask there: evenkeel --api https://${manager.address}:${manager.port} ${said}`,
  );
}

async function status(command: Command): Promise<void> {
  const session = sessionOf(command);
  const answer = await askLocal(runOf(command), 'status');
  session.print(answer, () => statusText(answer, session));
}

async function services(command: Command): Promise<void> {
  const session = sessionOf(command);
  const { services: all, checks } = await askLocal(runOf(command), 'status');
  session.print(all, () =>
    all.length === 0
      ? 'the agent has started no daemon here'
      : session.table(
          ['UNIT', 'SERVICE', 'PID', 'CHECKS'],
          all.map(({ unit, service, pid }) => {
            const own = checks.filter((check) => check.unit === unit);
            const down = own
              .filter(({ state }) => state !== 'up')
              .map(({ check, state }) => `${check} ${state}`);
            return [
              unit,
              service,
              pid === null ? { text: 'does not run', tone: 'bad' } : String(pid),
              down.length === 0
                ? { text: `${own.length} up`, tone: 'good' }
                : { text: down.join(', '), tone: 'bad' },
            ];
          }),
        ),
  );
}

const SERVES = {
  'as-declared': { text: 'as declared', tone: 'good' },
  'last-good': { text: 'as it was', tone: 'warn' },
  nothing: { text: 'nothing', tone: 'bad' },
  'not-known': { text: 'not known', tone: 'warn' },
} as const;

async function sites(command: Command): Promise<void> {
  const session = sessionOf(command);
  const { sites: all } = await askLocal(runOf(command), 'sites');
  session.print(all, () =>
    all.length === 0
      ? 'this box has no sites'
      : session.table(
          ['SITE', 'ALIASES', 'SERVES', 'REASON'],
          all.map(({ name, aliases, serves, reason }) => [name, aliases.join(', '), SERVES[serves], reason]),
        ),
  );
}

const INSTALLED = new Map<boolean | null, { text: string; tone: Tone }>([
  [true, { text: 'yes', tone: 'good' }],
  [false, { text: 'no', tone: 'bad' }],
  [null, { text: 'not known', tone: 'warn' }],
]);

async function packages(command: Command): Promise<void> {
  const session = sessionOf(command);
  const { packages: all } = await askLocal(runOf(command), 'packages');
  session.print(all, () =>
    all === null
      ? 'nobody knows the packages of this distribution'
      : all.length === 0
        ? 'the roles of this box need no packages'
        : session.table(
            ['PACKAGE', 'INSTALLED'],
            all.map(({ name, installed }) => [name, INSTALLED.get(installed) ?? '']),
          ),
  );
}

async function plan(command: Command): Promise<void> {
  const session = sessionOf(command);
  const run = runOf(command);
  const { node } = await askLocal(run, 'status');
  const { units } = await withProgress('asking the agent', () => askLocal(run, 'plan'));
  session.print({ node, units }, () => planText({ node, units }, session));
}

function ownText(
  { manager, why, since, done, goes }: Left,
  { node, version, services: all }: LocalStatus,
  session: Session,
) {
  const { paint } = session;
  const how = why === 'removed' ? 'was removed from' : 'has left';
  return [
    `a box of its own: ${paint('bold', node)} ${how} the cluster of ${manager.address}, ${clockTime(since)}`,
    ...(done ? [] : [paint('warn', `still gives back: ${goes.join(', ')}`)]),
    `agent        ${version}; it starts what dies, and changes no file`,
    ...all.map(({ unit, service, pid }) =>
      pid === null ? paint('bad', `${unit}  ${service} does not run`) : `${unit}  ${service}, pid ${pid}`,
    ),
    'to join a cluster again: the pasted line of evenkeel node invite',
  ].join('\n');
}

const toneOf = (result: string): Tone =>
  ['unchanged', 'changed', 'corrected'].includes(result) ? 'good' : result === 'failed' ? 'bad' : 'warn';

function statusText(answer: LocalStatus, session: Session): string {
  const { node, manager, roles, version, certificateExpires, left, hold, units, checks } = answer;
  const { paint } = session;
  if (left) return ownText(left, answer, session);
  const reached = manager.connected
    ? paint('good', 'connected')
    : paint('bad', 'not reached; this box goes on with what it has');
  const down = checks.filter(({ state }) => state !== 'up');
  return [
    `node         ${paint('bold', node)}  (${roles.join(', ') || 'no roles'})`,
    `manager      ${manager.address}:${manager.port}  ${reached}`,
    `agent        ${version}${certificateExpires === null ? '' : `; its certificate ends ${relative(certificateExpires)}`}`,
    ...(hold ? [paint('warn', `on hold      since ${clockTime(hold.since)}: ${hold.reason}`)] : []),
    '',
    units.length === 0
      ? 'no units: no policy is for its roles'
      : session.table(
          ['UNIT', 'RESULT', 'CURRENT', 'NOTES'],
          units.map(({ unit, result, current, error, held }) => [
            unit,
            { text: result, tone: toneOf(result) },
            current ? 'yes' : { text: 'not yet', tone: 'warn' },
            [
              ...(error === '' ? [] : [error]),
              ...(held.length === 0 ? [] : [`holds back ${held.join(', ')}`]),
            ].join('; '),
          ]),
        ),
    ...down.map(({ unit, check, state, detail }) => paint('bad', `${unit}/${check} is ${state}: ${detail}`)),
  ].join('\n');
}
