/** The node view: what is declared of a node and what it said, as the API shows it. */

import { whatItDoes } from '../../protocol/node-states.ts';
import type { NodeSpec } from '../../protocol/resources/node.ts';
import type { NodeView } from '../../protocol/views.ts';
import { behindOf, type Head, type NodeMemory, standsOf } from './memory.ts';

export interface NodeViewInputs {
  name: string;
  spec: NodeSpec;
  memory: Readonly<NodeMemory> | undefined;
  /** Where each scope that it follows stands, in the order in which beats list them. */
  heads: readonly Head[];
  /** The units that the node must have: the policies of its roles. */
  units: readonly string[];
  /** What is wrong with who it is: alarms of the manager's own. */
  trust?: NodeView['alarms'];
  queue?: NodeView['queue'];
  certificateExpires: string | null;
  /** Milliseconds since the epoch. */
  now: number;
}

const wellEnded = new Set(['unchanged', 'changed', 'corrected']);

export function nodeView({
  name,
  spec,
  memory,
  heads,
  units,
  trust = [],
  queue = { state: 'empty', waiting: 0, action: '' },
  certificateExpires,
  now,
}: NodeViewInputs): NodeView {
  const online = memory?.fresh ?? false;
  const behind = behindOf(memory ? standsOf(memory, heads) : new Map(), heads).map(({ scope }) => scope);
  const ended = (unit: string) => memory?.units.get(unit)?.result ?? 'none';
  const { drain } = spec;
  const [hold, maintenance] = [spec.hold, spec.maintenance].map((word) =>
    isOver(word?.until, now) ? undefined : word,
  );
  const state = stateOf(spec, memory, trust, now);
  return {
    name,
    roles: spec.roles,
    address: spec.address,
    ...{ state, does: whatItDoes[state] },
    online,
    lastSeen: memory && memory.heardAt > 0 ? new Date(memory.heardAt).toISOString() : null,
    version: memory?.status?.version ?? '',
    release: memory?.status?.release ?? '',
    mode: spec.mode,
    converged:
      online &&
      memory?.beat?.ok === true &&
      behind.length === 0 &&
      units.every((unit) => wellEnded.has(ended(unit))),
    behind,
    ...saidOf(memory, units, trust),
    ...(hold ? { hold: sentence(hold) } : {}),
    ...(drain ? { drain: sentence(drain) } : {}),
    ...(maintenance ? { maintenance: sentence(maintenance) } : {}),
    ...untilOf({ hold: hold?.until, drain: drain?.deadline, maintenance: maintenance?.until }),
    queue,
    certificateExpires,
  };
}

function stateOf(
  spec: NodeSpec,
  memory: Readonly<NodeMemory> | undefined,
  trust: NodeView['alarms'],
  now: number,
): NodeView['state'] {
  if (spec.maintenance && !isOver(spec.maintenance.until, now)) return 'maintenance';
  if (memory === undefined && spec.identity === undefined) return 'pending';
  // A node that lives keeps its place, whoever else asks for it.
  if (!memory?.fresh)
    return trust.some(({ code }) => code === 'identity-changed') ? 'identity-changed' : 'unreachable';
  if (spec.drain) return 'draining';
  if (spec.hold && !isOver(spec.hold.until, now)) return 'held';
  return 'active';
}

const isOver = (until: string | undefined, now: number): boolean =>
  until !== undefined && Date.parse(until) <= now;

function untilOf(ends: Record<'hold' | 'drain' | 'maintenance', string | undefined>) {
  const said = Object.entries(ends).filter(([, until]) => until !== undefined);
  return said.length === 0 ? {} : { until: Object.fromEntries(said) };
}

const sentence = ({ reason, owner }: { reason: string; owner: string }): string =>
  reason === '' ? `by ${owner}` : `${reason} (${owner})`;

/** A unit whose policy has gone is not shown any more. */
function saidOf(
  memory: Readonly<NodeMemory> | undefined,
  units: readonly string[],
  trust: NodeView['alarms'],
): Pick<NodeView, 'units' | 'checks' | 'alarms'> {
  return {
    units: [...(memory?.units.values() ?? [])]
      .filter(({ unit }) => units.includes(unit))
      .map((stand) => ({
        unit: stand.unit,
        result: stand.result,
        digest: stand.digest,
        revisions: Object.fromEntries(Object.entries(stand.scopes).map(([scope, { rev }]) => [scope, rev])),
        held: stand.held,
        ...(stand.error ? { error: `${stand.error.code}: ${stand.error.message}` } : {}),
        at: stand.at,
        timing: stand.timing,
      })),
    checks: [...(memory?.checks.values() ?? [])].map(({ unit, check, state, detail, at }) => ({
      unit,
      check,
      state,
      detail,
      since: at,
    })),
    alarms: [
      ...trust,
      ...[...(memory?.alarms.values() ?? [])].map(({ code, subject, message, at }) => ({
        ...{ code, subject, message },
        since: at,
      })),
    ],
  };
}
