/** How a wait ended, for people: how long each step took, and what is not as declared. */
import type { EventLine, NodeView } from '../protocol/views.ts';
import type { Paint } from './paint.ts';
import { seconds } from './time.ts';
import type { Waited } from './wait.ts';

export function waitedText(
  { received, converged, passes, unfinished, others, away }: Waited,
  paint: Paint,
): string {
  const held = heldBack(unfinished, others);
  const notYet = held.length > 0 ? 'no: something is held back, and the rest is live' : 'not in time';
  return [
    `received   ${received === undefined ? 'not in time' : seconds(received)}`,
    `converged  ${converged === undefined ? notYet : `${seconds(converged)}${longestPass(passes)}`}`,
    ...unfinished.flatMap(({ name, behind, units }) => [
      ...(behind.length > 0 ? [`${name} has not received ${behind.join(', ')}`] : []),
      ...units.flatMap(({ unit, result, error }) =>
        error === undefined ? [] : [`${name} ${unit} ${result}: ${error}`],
      ),
    ]),
    ...held,
    ...(held.length > 0 ? [WAY_ON] : []),
    ...(others.length > 0 ? [paint('dim', othersLine(others))] : []),
    ...(away.length > 0 ? [`not connected: ${away.join(', ')}; they follow when they are back`] : []),
  ].join('\n');
}

const MOST_NAMED = 3;

function othersLine(others: string[]): string {
  const more = others.length > MOST_NAMED ? ` and ${others.length - MOST_NAMED} more` : '';
  return `not of this apply, and held back: ${others.slice(0, MOST_NAMED).join(', ')}${more} (evenkeel nodes)`;
}

const WAY_ON = [
  '           mend it and apply it again. A cause on the nodes, such as a missing file, is looked for again every few',
  '           minutes, and at once with: evenkeel node retry',
].join('\n');

/** One line an item, however many nodes hold it back: mostly all do, for the same reason. */
function heldBack(nodes: NodeView[], others: string[]): string[] {
  const items = new Map<string, { names: string[]; reason: string }>();
  for (const { name, units } of nodes)
    for (const item of units.flatMap(({ held }) => held)) {
      const key = `${item.kind}/${item.name}`;
      if (others.includes(key)) continue;
      const entry = items.get(key) ?? { names: [], reason: item.reason.split('\n')[0] ?? '' };
      entry.names.push(name);
      items.set(key, entry);
    }
  return [...items].map(([key, { names, reason }]) => `held back  ${key} on ${names.join(', ')}: ${reason}`);
}

/** The steps of the pass that took longest, of those that the nodes have told of since. */
function longestPass(passes: EventLine[]): string {
  const timed = passes.map(({ node = '', subject, data }) => {
    const { timing = {} } = (data ?? {}) as { timing?: Record<string, number> };
    return { node, unit: subject, timing, total: sum(Object.values(timing)) };
  });
  const [longest] = timed.sort((one, other) => other.total - one.total);
  if (!longest || longest.total === 0) return '';
  const steps = Object.entries(longest.timing).map(([step, ms]) => `${step} ${seconds(ms)}`);
  return `; the longest pass on ${longest.node}, ${longest.unit}: ${steps.join(', ')}`;
}

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0);
