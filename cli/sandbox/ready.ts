/** When a sandbox is ready: the manager answers, every node is where the journal is, and the balancer serves from each. */
import { get } from 'node:http';
import type { NodeView } from '../../protocol/views.ts';
import type { Control } from './control.ts';
import { type Look, type WaitOptions, waitFor } from './wait.ts';

export const managerReady = (control: Control, options: WaitOptions): Promise<void> =>
  waitFor('the manager', async () => found(await control.isReady(), 'it is not ready'), options);

/** All of these nodes are online, converged, and nothing on them is held back. */
export const nodesConverged = (control: Control, names: string[], options: WaitOptions): Promise<void> =>
  waitFor(
    'the nodes',
    async () => {
      const nodes = new Map((await control.nodes()).map((node) => [node.name, node]));
      const late = names.filter((name) => !isWell(nodes.get(name)));
      return found(late.length === 0, late.map((name) => standOf(name, nodes.get(name))).join('; '));
    },
    options,
  );

const isWell = (node: NodeView | undefined): boolean =>
  node?.online === true &&
  node.converged &&
  node.units.length > 0 &&
  node.units.every((unit) => unit.held.length === 0);

function standOf(name: string, node: NodeView | undefined): string {
  if (!node?.online) return `${name} is not connected`;
  const units = node.units.map(({ unit, result, error }) => `${unit} ${result}${error ? ` (${error})` : ''}`);
  return `${name} is not converged: ${units.join(', ') || 'it has reported no unit yet'}`;
}

/** The header by which a response names its node, where the node parameter `nodeHeader` asks for it. */
export const NODE_HEADER = 'x-evenkeel-node';

/** The balancer answers 200 from every one of these nodes. */
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
  const { status, node } = await ask(url);
  if (status === 200 && node !== undefined) seen.add(node);
}

function ask(url: string): Promise<{ status: number | undefined; node: string | undefined }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: 2000 }, (response) => {
      response.resume();
      const node = response.headers[NODE_HEADER];
      resolve({ status: response.statusCode, node: typeof node === 'string' ? node : undefined });
    });
    request.on('timeout', () => request.destroy(new Error('no answer within 2 s')));
    request.on('error', reject);
  });
}

const found = (isThere: boolean, missing: string): Look<void> =>
  isThere ? { there: undefined } : { missing };
