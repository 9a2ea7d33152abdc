/** `evenkeel leave`: on a node, this box goes from its cluster and stays what it serves, as a box of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Leaving, Left } from '../../protocol/local.ts';
import { Ended, UsageError } from '../failure.ts';
import { askLocal, RUN_FOLDER } from '../local-client.ts';
import { withProgress } from '../progress.ts';
import { type Session, sessionOf } from '../session.ts';
import { isYes } from '../yes.ts';

interface LeaveOptions {
  run: string;
  alone: boolean;
  yes: boolean;
}

const PATIENCE_MS = 60_000;
const LOOK_MS = 500;

/** What is said to be typed is said for this very box. */
const runWords = (run: string): string => (run === RUN_FOLDER ? '' : ` --run ${run}`);

export function addLeave(program: Command): void {
  program
    .command('leave')
    .description('this box goes from its cluster, and keeps serving what it had as a box of its own')
    .option('--run <folder>', 'the run folder of the agent', RUN_FOLDER)
    .option('--alone', 'also when the manager cannot be told: remove the node there when it is back', false)
    .option('--yes', 'do not ask', false)
    .addHelpText('after', HELP)
    .action((options: LeaveOptions, command: Command) => leave(options, sessionOf(command)));
}

const HELP = `
Drain it first, so that no request is lost:   evenkeel node drain NAME --reason leaving
To come back:                                 the pasted line of evenkeel node invite
From the manager, dead or alive:              evenkeel node remove NAME
`;

async function leave({ run, alone, yes }: LeaveOptions, session: Session): Promise<void> {
  const { node, manager, left: before } = await askLocal(run, 'status');
  if (before === null) {
    const becomes = await askLocal(run, 'leaving');
    session.note(consequences(node, manager.address, becomes));
    if (!yes && !(await isYes(`Does ${node} leave?`, `evenkeel leave${runWords(run)} --yes`)))
      throw new Ended('usage');
    await asked(run, alone, manager.address);
  }
  const left = await withProgress('leaving', () => done(run));
  const { services } = await askLocal(run, 'status');
  session.print(left, () =>
    farewell(
      left,
      services.map(({ service }) => service),
      run,
    ),
  );
  if (!left.done) throw new Ended('unfinished');
}

function consequences(node: string, manager: string, { goes, stays }: Leaving): string {
  const list = (units: string[]) => (units.length === 0 ? 'nothing' : units.join(', '));
  return [
    `${node} leaves the cluster of ${manager}:`,
    `  stays, and is served on from plain files    ${list(stays)}`,
    `  is given back: the cluster's addresses,`,
    `  balancing, exports and mounts               ${list(goes)}`,
    '  What lies on shared storage stays there: copy what this box is to keep before.',
  ].join('\n');
}

async function asked(run: string, alone: boolean, manager: string): Promise<void> {
  try {
    await askLocal(run, 'leave', { alone });
  } catch (err) {
    if (err instanceof EvenkeelError && err.code === 'node-unreachable')
      throw new UsageError(
        `whether the manager at ${manager} was told is not known: ${err.message}`,
        'evenkeel leave again asks it again; evenkeel leave --alone leaves all the same, and evenkeel node remove there tells it',
      );
    throw err;
  }
}

/** The agent of the node ends and that of a box of its own begins: for a moment nobody answers. */
async function done(run: string): Promise<Left> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const left = await askLocal(run, 'status').then(
      (status) => status.left,
      (err: unknown) => {
        if (Date.now() < end) return null;
        throw err;
      },
    );
    if (left?.done || (left && Date.now() >= end)) return left;
    if (Date.now() >= end) throw new EvenkeelError('timeout', 'the agent has not begun to leave in time');
    await sleep(LOOK_MS);
  }
}

function farewell({ node, goes, done: isDone }: Left, services: string[], run: string): string {
  const serves = services.length === 0 ? 'It serves nothing.' : `It serves on: ${services.join(', ')}.`;
  if (!isDone)
    return `This box, ${node} once, could not give back all of ${goes.join(', ')} yet and goes on trying; the agent's log says why. ${serves}`;
  return `This box is one of its own now, ${node} no more. ${serves} evenkeel local status${runWords(run)} shows it; install.sh uninstall takes Evenkeel away.`;
}
