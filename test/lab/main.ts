#!/usr/bin/env -S npx tsx
/** The lab for people: `npm run lab -- smoke`, a cluster to play with, and the suites. */
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { tailOf } from '../../cli/sandbox/logs.ts';
import { messageOf } from '../../protocol/errors.ts';
import { hold } from './hold.ts';
import { checkout, obstacles } from './host.ts';
import { ourselves, placeName, spawnInside } from './namespace.ts';
import { runSuites } from './run-suites.ts';
import { smoke } from './smoke.ts';
import { openTerminal } from './terminal.ts';
import { bringUp, takeDown } from './up.ts';
import { order, placesIn, stateIn } from './wire.ts';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const SMOKE_MS = 300_000;

/** Runs the same command inside, and ends with its code; at its deadline with 1. */
function again(args: string[], ms: number): Promise<number> {
  const why = obstacles();
  if (why.length > 0) throw new Error(`no boxes on this machine: ${why.join('; ')}`);
  return new Promise((done, reject) => {
    const child = spawnInside('smoke', ourselves(args), { stdio: 'inherit' });
    const timer = setTimeout(() => {
      process.stderr.write(`lab: still running after ${ms / 1000} s, and ended\n`);
      child.kill('SIGKILL');
    }, ms);
    const stop = () => child.kill('SIGKILL');
    process.once('SIGINT', stop).once('SIGTERM', stop);
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      done(code ?? 1);
    });
  });
}

const program = new Command('lab')
  .description('Real boxes on this machine (docs/lab.md)')
  .option('--dir <folder>', 'where the lab that is up lies', join(checkout, 'var', 'lab'));

const dirOf = (): string => resolve(program.opts<{ dir: string }>().dir);

program
  .command('smoke')
  .description('a director, two web nodes, 100 requests, a power cut, 100 more; 0 when all was right')
  .action(async () => {
    if (placeName() === undefined) process.exitCode = await again(['smoke'], SMOKE_MS);
    else process.exit((await smoke(say)).length === 0 ? 0 : 1);
  });

program
  .command('test')
  .description('the suites, or those whose names these words are part of')
  .argument('[words...]')
  .action(async (words: string[]) => {
    process.exitCode = await runSuites(words);
  });

program
  .command('up')
  .description('a cluster to play with: a manager, the director d1, web nodes w1, w2, ...')
  .option('--nodes <count>', 'web nodes', '2')
  .action(async ({ nodes }: { nodes: string }) => {
    const dir = dirOf();
    if (!/^[1-9]$/.test(nodes)) throw new Error(`--nodes ${nodes}: give a number from 1 to 9`);
    say('starting; this takes half a minute');
    const ports = await bringUp(dir, Number(nodes));
    say(`up. The site: http://127.0.0.1:${ports.web}/  The API: https://localhost:${ports.api}`);
    say(`  npx evenkeel --up ${placesIn(dir).up} nodes`);
    for (const line of USES) say(`  npm run lab -- ${line}`);
  });

const USES = [
  'shell w1                  a terminal on it; Ctrl-] leaves. With a command: runs it',
  'power-cut w1 | boot w1    pull its plug, and start it',
  'cut w1 | join w1          pull its network cable, and put it back',
  'slow w1 100ms 5%          delay what leaves it, and lose some',
  'skew w1 +1h               set its clock wrong',
  'heal                      undo all of that',
  'status | logs w1 | down',
];

/** Brings the folder up inside; `up` alone calls it. */
program
  .command('hold', { hidden: true })
  .requiredOption('--nodes <count>')
  .requiredOption('--api-port <port>')
  .action(async ({ nodes, apiPort }: { nodes: string; apiPort: string }) => {
    await hold({ dir: dirOf(), nodes: Number(nodes), apiPort: Number(apiPort) });
  });

program
  .command('down')
  .description('ends the lab that is up; nothing of it is left')
  .action(async () => {
    say((await takeDown(dirOf())) ? 'down' : 'nothing was up');
  });

/** An order to the lab that is up; its words are shown, its code is the exit code. */
async function give(verb: string, args: string[]): Promise<void> {
  if (!stateIn(dirOf())) throw new Error(`no lab is up in ${dirOf()}; npm run lab -- up starts one`);
  const { code, text } = await order(dirOf(), { verb, args });
  process[code === 0 ? 'stdout' : 'stderr'].write(text.endsWith('\n') || text === '' ? text : `${text}\n`);
  process.exitCode = code;
}

const orders: [verb: string, args: string, does: string][] = [
  ['status', '', 'the boxes, and whether they are on'],
  ['power-cut', '<node>', 'pulls its plug: what was not synced is lost'],
  ['boot', '<node>', 'starts it again'],
  ['cut', '<node>', 'pulls its network cable'],
  ['join', '<node>', 'puts it back'],
  ['slow', '<node> [delay] [loss]', 'delays what leaves it, and loses some: 100ms 5%'],
  ['skew', '<node> <by>', 'sets its clock apart from the host: +1h, 0'],
  ['heal', '', 'undoes all of that'],
];

for (const [verb, args, does] of orders)
  program
    .command(`${verb} ${args}`.trim())
    .description(does)
    .allowUnknownOption()
    .action(async (...given: unknown[]) => {
      await give(
        verb,
        given.filter((one): one is string => typeof one === 'string'),
      );
    });

program
  .command('shell')
  .description('a terminal on a box; with a command, runs that')
  .argument('<node>')
  .argument('[command...]')
  .allowUnknownOption()
  .action(async (node: string, command: string[]) => {
    if (command.length > 0 || !process.stdin.isTTY) await give('run', [node, ...command]);
    else await openTerminal(dirOf(), node);
  });

program
  .command('logs')
  .description('the last lines of what a box and its agent have said; without a node, of the manager')
  .argument('[node]')
  .action((node?: string) => {
    const { boxes, log } = placesIn(dirOf());
    const folder = node === undefined ? boxes : join(boxes, node);
    if (!existsSync(folder)) throw new Error(`there is no ${folder}`);
    const files = node === undefined ? [log, join(folder, 'manager.log')] : logsIn(folder);
    for (const file of files) say(`--- ${file}\n${tailOf(file, 20)}`);
  });

const logsIn = (folder: string): string[] => [
  join(folder, 'console.log'),
  ...readdirSync(join(folder, 'log')).map((name) => join(folder, 'log', name)),
];

program.parseAsync().catch((err: unknown) => {
  process.stderr.write(`lab: ${messageOf(err)}\n`);
  process.exit(1);
});
