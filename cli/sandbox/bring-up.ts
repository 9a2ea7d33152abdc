/** How a sandbox comes up, step by step; every step does nothing that an earlier start has done already. */
import type { Clock } from '../../common/clock.ts';
import { commandOf } from '../../common/programs.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { NodeView } from '../../protocol/views.ts';
import { clean } from '../clean.ts';
import { type Control, createControl } from './control.ts';
import { exampleDocuments, layOutSites } from './examples.ts';
import { foundManager, joinMember } from './found.ts';
import type { Layout, Product } from './layout.ts';
import { type LogMarks, marksOf, troubleSince } from './logs.ts';
import { type Member, membersOf } from './members.ts';
import { balancerServes, heldOn, managerReady, nodesServe } from './ready.ts';
import type { Say, Step } from './say.ts';
import { type Settings, writeSettings } from './settings.ts';
import { redeclarePorts, settle } from './settle.ts';
import type { Supervisor } from './supervise.ts';
import type { WaitOptions } from './wait.ts';

export interface Making {
  layout: Layout;
  product: Product;
  supervisor: Supervisor;
  clock: Clock;
  step: Step;
  say: Say;
  signal: AbortSignal;
}

export interface Brought {
  settings: Settings;
  members: Member[];
  control: Control;
}

/** Brings everything up; returns when every node serves, and the balancer from each that takes traffic. */
export async function bringUp(nodes: number, making: Making): Promise<Brought> {
  const { layout, product, step } = making;
  const chosen = await step('free ports', () => settle(layout, nodes));
  const settings = await step('manager: authority, store, policies', () =>
    foundManager(layout, product, chosen),
  );
  const control = createControl(settings);
  const members = membersOf(settings, layout);
  await step('manager: running', () => runManager(control, making));
  // Before there are nodes, which would listen where another sandbox does.
  if (!settings.declared)
    await control.patch('Cluster', 'cluster', { health: { port: settings.ports.health } });
  const marks = marksOf(members.map(({ name }) => layout.log(name)));
  await step(`agents: ${members.map(({ name }) => name).join(', ')} joined and running`, () =>
    runAgents(members, control, making),
  );
  const declared = await step('example sites and their virtual service', () =>
    declare(settings, control, making),
  );
  await awaitService({ members, settings: declared, control }, marks, making);
  return { settings: declared, members, control };
}

/** A process that ends again and again at once will not come up by waiting. */
const MOST_DEATHS = 5;

const patience = ({ clock, signal, supervisor }: Making, seconds: number): WaitOptions => ({
  clock,
  signal,
  deadline: seconds * 1000,
  hopeless: () => {
    const dying = Object.entries(supervisor.deaths()).find(([, deaths]) => deaths >= MOST_DEATHS);
    return dying && `${dying[0]} ends again and again`;
  },
});

async function runManager(control: Control, making: Making): Promise<void> {
  const { layout, product, supervisor } = making;
  const run = commandOf('manager', product.bundle('manager'), ['run', '--data', layout.manager]);
  const log = layout.log('manager');
  const marks = marksOf([log]);
  await supervisor.keep({ name: 'manager', run, log });
  await explained(marks, making, () => managerReady(control, patience(making, 30)));
}

async function runAgents(members: Member[], control: Control, making: Making): Promise<void> {
  const { layout, product, supervisor, signal } = making;
  for (const member of members) {
    signal.throwIfAborted();
    await joinMember(member, { layout, product, control });
    const { name } = member;
    const run = commandOf('agent', product.bundle('agent'), ['run', '--state', layout.node(name).state]);
    await supervisor.keep({ name, run, log: layout.log(name) });
  }
}

/** Only ever once: what the operator has made of the examples since is his. */
async function declare(settings: Settings, control: Control, { layout, product }: Making): Promise<Settings> {
  if (settings.declared) return redeclarePorts(layout, settings, control);
  await layOutSites(layout, product);
  await control.apply(await exampleDocuments(layout, product, settings));
  const declared = { ...settings, declared: true };
  await writeSettings(layout, declared);
  return redeclarePorts(layout, declared, control);
}

async function awaitService(
  { members, settings: { ports }, control }: Brought,
  marks: LogMarks,
  making: Making,
): Promise<void> {
  const names = members.map(({ name }) => name);
  await explained(marks, making, async () => {
    const nodes = await making.step('all nodes serve', () =>
      nodesServe(control, names, patience(making, 60)),
    );
    const web = nodes
      .filter(({ roles, drain, maintenance }) => roles.includes('web') && !drain && !maintenance)
      .map(({ name }) => name);
    const url = `http://127.0.0.1:${ports.balancer}/`;
    await making.step(`balancer serves from ${web.join(', ')}`, () =>
      balancerServes(url, web, patience(making, 30)),
    );
    for (const line of heldLines(nodes)) making.say(line);
  });
}

const MOST_HELD = 12;

/** What is not as declared although all serves: an operator mends it in the running sandbox. */
function heldLines(nodes: NodeView[]): string[] {
  const lines = nodes.flatMap((node) =>
    heldOn(node).map((held) => clean(`  ${node.name}: ${held}; see npx evenkeel node show ${node.name}`)),
  );
  const more = lines.length - MOST_HELD;
  return more > 0 ? [...lines.slice(0, MOST_HELD), `  and ${more} more: npx evenkeel nodes`] : lines;
}

/** When the work fails, what the logs of those who took part say of it since is shown: mostly they say why. */
async function explained(marks: LogMarks, { layout, say }: Making, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (err) {
    if (!(err instanceof EvenkeelError)) throw err;
    for (const line of troubleSince(marks)) say(clean(`    ${line}`));
    say(`  all they said: ${layout.log('*')}`);
    throw err;
  }
}
