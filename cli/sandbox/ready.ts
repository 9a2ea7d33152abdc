/** When a sandbox is ready: the manager answers, every node is where the journal is, serves, and the balancer serves from each. */
import { get } from 'node:http';
import type { NodeView } from '../../protocol/views.ts';
import type { Control } from './control.ts';
import { type Look, type WaitOptions, waitFor } from './wait.ts';

export const managerReady = (control: Control, options: WaitOptions): Promise<void> =>
  waitFor('the manager', async () => found(await control.isReady(), 'it is not ready'), options);

/** A node that holds something back counts once its units have stood so for this long: a newer pass may be under way. */
const SETTLED_MS = 1000;

/**
 * All of these nodes are connected and where the journal is, and their units are as declared, or serve what is not held back.
 * @returns the nodes as they are then
 */
export async function nodesServe(
  control: Pick<Control, 'nodes'>,
  names: string[],
  options: WaitOptions,
): Promise<NodeView[]> {
  const { clock } = options;
  const marks = new Map<string, { mark: string; since: number }>();
  const isSettled = (node: NodeView) => {
    const mark = JSON.stringify(node.units.map(({ unit, result, at }) => [unit, result, at]));
    if (marks.get(node.name)?.mark !== mark) marks.set(node.name, { mark, since: clock.monotonic() });
    return clock.monotonic() - (marks.get(node.name)?.since ?? 0) >= SETTLED_MS;
  };
  const isUp = (node: NodeView | undefined) =>
    node?.online === true &&
    node.behind.length === 0 &&
    node.units.length > 0 &&
    (isWell(node) || (isSettled(node) && serveTheRest(node)));
  return waitFor<NodeView[]>(
    'the nodes',
    async () => {
      const nodes = new Map((await control.nodes()).map((node) => [node.name, node]));
      const late = names.filter((name) => !isUp(nodes.get(name)));
      if (late.length > 0) return { missing: late.map((name) => standOf(name, nodes.get(name))).join('; ') };
      return { there: names.flatMap((name) => nodes.get(name) ?? []) };
    },
    options,
  );
}

const good = new Set(['unchanged', 'changed', 'corrected']);

/** Its units that are not wholly as declared. */
const lacking = ({ units }: NodeView) =>
  units.filter(({ result, held }) => !good.has(result) || held.length > 0);

const isWell = (node: NodeView): boolean => node.converged && lacking(node).length === 0;

const serveTheRest = (node: NodeView): boolean =>
  lacking(node).length > 0 && lacking(node).every(({ unit }) => serves(node, unit));

/** By its checks: one at least is up, and none is down. */
function serves({ checks }: NodeView, unit: string): boolean {
  const states = checks.filter((check) => check.unit === unit).map(({ state }) => state);
  return states.includes('up') && !states.includes('down');
}

function standOf(name: string, node: NodeView | undefined): string {
  if (!node?.online) return `${name} is not connected`;
  if (node.behind.length > 0) return `${name} has not received ${node.behind.join(', ')}`;
  if (node.units.length === 0) return `${name} has reported no unit yet`;
  const down = node.checks
    .filter(({ state }) => state === 'down')
    .map(({ unit, check, detail }) => `${unit}/${check} is down: ${detail}`);
  const units = node.units.map(({ unit, result }) => `${unit} ${result}`);
  return `${name} does not serve: ${[...units, ...down, ...heldOn(node)].join(', ')}`;
}

/** What a node holds back and why, and its units that ended badly: one plain line for each. */
export const heldOn = ({ units }: NodeView): string[] =>
  units.flatMap(({ unit, result, error, held }) => [
    ...(error === undefined ? [] : [`${unit} ${result}: ${firstLine(error)}`]),
    ...held.map(({ kind, name, reason }) => `${kind}/${name} is held back: ${firstLine(reason)}`),
  ]);

const firstLine = (text: string): string => text.split('\n')[0] ?? '';

/** The header by which a response names its node, where the node parameter `nodeHeader` asks for it. */
export const NODE_HEADER = 'x-evenkeel-node';

/** Every one of these nodes answers through the balancer; what it answers is the matter of the sites that are declared. */
export async function balancerServes(url: string, names: string[], options: WaitOptions): Promise<void> {
  const seen = new Set<string>();
  await waitFor(
    `the balancer at ${url}`,
    async () => {
      for (const _ of names) await noteAnswer(url, seen);
      const missing = names.filter((name) => !seen.has(name));
      return found(missing.length === 0, `no answer from ${missing.join(', ')}`);
    },
    options,
  );
}

/** Each request on a connection of its own, so that the balancer chooses anew. */
async function noteAnswer(url: string, seen: Set<string>): Promise<void> {
  const node = await ask(url);
  if (node !== undefined) seen.add(node);
}

/** The node that answers. */
function ask(url: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: 2000 }, (response) => {
      response.resume();
      const node = response.headers[NODE_HEADER];
      resolve(typeof node === 'string' ? node : undefined);
    });
    request.on('timeout', () => request.destroy(new Error('no answer within 2 s')));
    request.on('error', reject);
  });
}

const found = (isThere: boolean, missing: string): Look<void> =>
  isThere ? { there: undefined } : { missing };
