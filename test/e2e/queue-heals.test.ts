/** A queue that halts on one node of three: it says why, and goes on by itself once the cause is mended, in its order. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { movableTime } from '../support/system-time.ts';
import { until } from '../support/until.ts';
import { useSandbox } from '../support/use-sandbox.ts';

const time = movableTime();
/** Manager, agents and CLI: the clock of this machine, as all of them see it, is the test's. */
const sandbox = useSandbox([], time.env);
afterAll(time.remove);

const NODES = ['n1', 'n2', 'n3'];
const HALTED = 'n2';
const WORDS = 'Welcome.\n';
const rootOf = (node: string) =>
  sandbox().path(
    sandbox()
      .up()
      .nodes.find(({ name }) => name === node)?.root ?? '',
  );
/** What each node has of its own. Where it is a file, nothing can be put into it, whoever tries. */
const folderOf = (node: string) => join(rootOf(node), 'motd');
const noticeOf = (node: string) => join(folderOf(node), 'notice');
const source = () => join(sandbox().dir, 'notice');

/** Nodes of a sandbox share one machine: on each, the programs of its own list work in its own folder. */
function give(node: string, programs: Record<string, string>): void {
  const settings = join(rootOf(node), 'state', 'agent.json');
  const executables = Object.fromEntries(
    Object.entries(programs).map(([name, line]) => {
      const path = join(rootOf(node), name);
      writeFileSync(path, `#!/bin/sh\nexec ${line}\n`, { mode: 0o755 });
      return [name, path];
    }),
  );
  writeFileSync(settings, JSON.stringify({ ...JSON.parse(readFileSync(settings, 'utf8')), executables }));
}

function agentOf(node: string): number {
  const pid = sandbox()
    .up()
    .nodes.find(({ name }) => name === node)?.pid.agent;
  if (!pid) throw new Error(`no agent of ${node} runs`);
  return pid;
}

/** The settings of a box are read when its agent begins; the sandbox starts it again. */
async function beginAnew(): Promise<void> {
  const before = NODES.map(agentOf);
  for (const pid of before) process.kill(pid, 'SIGTERM');
  await until(
    'the agents have begun anew',
    async () => {
      const { items } = await sandbox().client().call('queues');
      const isBack = items.every(({ online }) => online);
      return (
        isBack &&
        sandbox()
          .up()
          .nodes.every(({ pid }) => pid.agent && !before.includes(pid.agent))
      );
    },
    30_000,
    200,
  );
}

beforeAll(async () => {
  const client = sandbox().client();
  for (const node of NODES) {
    give(node, {
      place: `install -m 644 -- "$1" ${noticeOf(node)}`,
      show: `cat -- ${noticeOf(node)}`,
    });
  }
  await beginAnew();
  writeFileSync(source(), WORDS);
  const documents = [
    {
      kind: 'Action',
      name: 'notice-place',
      spec: {
        run: ['place', '{{from}}'],
        parameters: { from: { type: 'text' } },
        idempotent: true,
        diagnose: ['disk'],
      },
    },
    { kind: 'Action', name: 'notice-show', spec: { run: ['show'], idempotent: true } },
  ];
  await client.call('apply', { body: { documents } });
}, 60_000);

/** The cause: on one node of the three, a file stands where the folder should be. */
beforeEach(() => {
  for (const node of NODES) {
    rmSync(folderOf(node), { recursive: true, force: true });
    if (node === HALTED) writeFileSync(folderOf(node), 'left behind\n');
    else mkdirSync(folderOf(node));
  }
});

const mend = () => {
  rmSync(folderOf(HALTED));
  mkdirSync(folderOf(HALTED));
};

const start = async (action: string, parameters = {}) => {
  const body = { action, parameters, on: 'web', jitter: 0 };
  return (await sandbox().client().call('runStart', { body })).run;
};
const states = async (run: string) => {
  const { commands } = await sandbox().client().call('run', { params: { run } });
  return commands.map(({ node, state }) => `${node} ${state}`).sort();
};
const triesOn = async (run: string, name: string) =>
  (await sandbox().client().call('tries', { params: { run, name } })).tries;
const read = async (...words: string[]) => (await sandbox().cli(words)).stdout;

/** Both runs are over on the nodes that are well, and on the other one the first has failed. */
async function halted(): Promise<{ placed: string; shown: string }> {
  const placed = await start('notice-place', { from: source() });
  const shown = await start('notice-show');
  const behind = ['n1 succeeded', `${HALTED} waiting`, 'n3 succeeded'].join();
  await until('two have done both', async () => (await states(shown)).join() === behind, 60_000);
  const failed = ['n1 succeeded', `${HALTED} failed`, 'n3 succeeded'].join();
  await until('one has failed', async () => (await states(placed)).join() === failed, 30_000);
  return { placed, shown };
}

/** What the operator reads: which node, what would not be done, the program's own words, and when it is tried again. */
async function seenHalted(): Promise<void> {
  const why = `install: cannot (?:stat|create regular file) '${noticeOf(HALTED)}': Not a directory`;
  const row = new RegExp(
    `^${HALTED} +halted +2 +notice-place +1 +\\S*place ended with 1: ${why}; again in [345]m$`,
    'm',
  );
  const all = await read('queue');
  expect(all).toMatch(row);
  for (const node of ['n1', 'n3']) expect(all).toMatch(new RegExp(`^${node} +empty +0\\b`, 'm'));
  expect(all).toContain(`halted: evenkeel queue retry ${HALTED}, skip ${HALTED} --reason WHY, or diagnose`);
  const one = await read('queue', HALTED);
  expect(one).toMatch(row);
  expect(one).toMatch(/notice-show +waiting +\S+ \S+ +0 /);
  expect(one).toMatch(new RegExp(`notice-place +from=\\S+ +failed +\\S+ \\S+ +1 .*${why}`));
}

/** The second try did it, the one behind went on after it, and both tries of the first are kept. */
async function healed({ placed, shown }: { placed: string; shown: string }): Promise<void> {
  const done = NODES.map((node) => `${node} succeeded`).join();
  await until('all is done', async () => (await states(shown)).join() === done, 30_000);
  expect((await states(placed)).join()).toBe(done);
  expect(readFileSync(noticeOf(HALTED), 'utf8')).toBe(WORDS);
  const [first, second] = await triesOn(placed, HALTED);
  expect(first).toMatchObject({ number: 1, end: 'failed', status: 1 });
  expect(second).toMatchObject({ number: 2, end: 'succeeded', status: 0 });
  expect(await triesOn(placed, 'n1')).toHaveLength(1);
  const behind = await triesOn(shown, HALTED);
  expect(behind).toMatchObject([{ number: 1, end: 'succeeded', output: WORDS }]);
  expect(Date.parse(behind[0]?.from ?? '')).toBeGreaterThanOrEqual(Date.parse(second?.to ?? ''));
  expect(await read('queue')).toMatch(new RegExp(`^${HALTED} +empty +0\\b`, 'm'));
}

it('[5.2] a file action that fails on one node of three halts that node alone, and five minutes after it is mended all is done by itself', {
  timeout: 180_000,
}, async () => {
  const runs = await halted();
  await seenHalted();
  mend();
  time.ahead(120);
  // Two looks of the manager, which asks each second what is due.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(await states(runs.placed)).toContain(`${HALTED} failed`);
  time.ahead(301);
  await healed(runs);
});

it('[5.2] the same with `queue retry`: at once, and no clock is moved', { timeout: 180_000 }, async () => {
  const runs = await halted();
  await seenHalted();
  mend();
  await read('queue', 'retry', HALTED);
  await healed(runs);
});
