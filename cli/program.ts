/** The program: every command in one list, what they share, and the help that teaches them. */
import { Command, Option } from 'commander';
import { VERSION } from '../common/version.ts';
import { addActions } from './commands/actions.ts';
import { addApply } from './commands/apply.ts';
import { addBackup } from './commands/backup.ts';
import { addCompletion } from './commands/completion.ts';
import { addDelete } from './commands/delete.ts';
import { addDiff } from './commands/diff.ts';
import { addDoctor } from './commands/doctor.ts';
import { addDown } from './commands/down.ts';
import { addEvents } from './commands/events.ts';
import { addExplain } from './commands/explain.ts';
import { addGet } from './commands/get.ts';
import { addJournal } from './commands/journal.ts';
import { addLeave } from './commands/leave.ts';
import { addLocal } from './commands/local.ts';
import { addMisplaced } from './commands/misplaced.ts';
import { addNode } from './commands/node.ts';
import { addNodes } from './commands/nodes.ts';
import { addPlan } from './commands/plan.ts';
import { addPools } from './commands/pools.ts';
import { addQueue } from './commands/queue.ts';
import { addRender } from './commands/render.ts';
import { addRestore } from './commands/restore.ts';
import { addResume } from './commands/resume.ts';
import { addRun, addRuns } from './commands/run.ts';
import { addSchedules } from './commands/schedules.ts';
import { addSetup } from './commands/setup.ts';
import { addSmoke } from './commands/smoke.ts';
import { addStartOver } from './commands/start-over.ts';
import { addState } from './commands/state.ts';
import { addStorage } from './commands/storage.ts';
import { addTokens } from './commands/tokens.ts';
import { addUp } from './commands/up.ts';
import { addUpgrade } from './commands/upgrade.ts';
import { exitTable } from './exit-codes.ts';
import { parseOutput } from './session.ts';

/** In the order in which help shows them. */
const groups: { title: string; commands: ((program: Command) => void)[] }[] = [
  { title: 'Declare:', commands: [addApply, addDiff, addGet, addDelete, addExplain] },
  {
    title: 'Look:',
    commands: [addNodes, addPools, addDoctor, addEvents, addJournal, addPlan, addRender, addState],
  },
  {
    title: 'Operate:',
    commands: [
      addSetup,
      addSmoke,
      addNode,
      addStorage,
      addTokens,
      addBackup,
      addRestore,
      addStartOver,
      addResume,
      addUpgrade,
    ],
  },
  { title: 'Do:', commands: [addActions, addRun, addRuns, addQueue, addSchedules] },
  { title: 'On a node:', commands: [addLocal, addLeave] },
  { title: 'Sandbox:', commands: [addUp, addDown] },
];

const AFTER = `
Examples:
  evenkeel apply -f sites.yaml             declare what the file says, and return once it is accepted
  evenkeel apply -f sites/ --wait          a folder; wait until every node serves it
  evenkeel diff -f sites.yaml              what would change, and in which files on the nodes
  evenkeel get sites                       every site; -o yaml prints what apply takes
  evenkeel node drain n1 --reason kernel   no new connections to n1
  evenkeel events -f                       what happens, as it happens

Where the manager is: --api, --ca and --token; or EVENKEEL_API, EVENKEEL_CA, EVENKEEL_TOKEN; or the sandbox that runs
in this folder or one above it (var/up.json); or ~/.config/evenkeel/config.json. The first that says it counts.

Exit codes:
${exitTable()}
`;

export function createProgram(): Command {
  const program = new Command('evenkeel')
    .description(
      'Keeps a web-hosting cluster on an even keel: declare it once, and it is so on every healthy node.',
    )
    .version(VERSION)
    .addOption(
      new Option('-o, --output <form>', 'table for people, json or yaml for programs')
        .argParser(parseOutput)
        .default('table'),
    )
    .option('--api <url>', 'the manager, such as https://192.0.2.1:8443')
    .option('--ca <file>', 'the certificate of its authority')
    .option('--token <token>', 'an API token; better in EVENKEEL_TOKEN, where no process list shows it')
    .option('--up <file>', 'the up.json of a sandbox')
    .addHelpText('after', AFTER)
    .helpCommand(false)
    .showSuggestionAfterError()
    .showHelpAfterError('(--help shows how)')
    .exitOverride();
  for (const { title, commands } of groups) {
    program.commandsGroup(title);
    for (const add of commands) add(program);
  }
  addCompletion(program);
  addMisplaced(program);
  return program;
}
