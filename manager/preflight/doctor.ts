/** The doctor: asks agents to look at their boxes, judges what they say, and looks at the manager itself. */
import type { Clock } from '../../common/clock.ts';
import { merged } from '../../common/findings.ts';
import type { Reach } from '../../common/reach.ts';
import type { View } from '../../common/view.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Answer, Ask } from '../../protocol/messages.ts';
import type { Examined, Finding, Needs } from '../../protocol/preflight.ts';
import { HEALTH_PORT } from '../../protocol/resources/cluster.ts';
import { PROTOCOL } from '../../protocol/version.ts';
import type { NodeView } from '../../protocol/views.ts';
import { portsIn } from './knock.ts';
import { backup, certificates, clock as clockOf, disk, doors, type Own } from './own.ts';
import type { Subject } from './subject.ts';

export interface DoctorOptions {
  view(): View;
  nodes: { all(): NodeView[]; one(name: string): NodeView | undefined };
  /** @throws EvenkeelError node-unreachable, busy */
  ask: (node: string, what: Ask['what'], more: { needs: Needs }) => Promise<Answer>;
  judge(subject: Subject): Finding[];
  needs(subject: Subject): Needs;
  reach: Reach;
  own(): Promise<Omit<Own, 'now' | 'nodes'>>;
  clock: Clock;
}

export interface Doctor {
  /** Never throws for a node that cannot be asked: that is what is found. @throws EvenkeelError not-found */
  node(name: string): Promise<Examined>;
  /** The manager first, then every node by name. */
  all(): Promise<Examined[]>;
}

/** Agents that are asked at one time. */
const AT_ONCE = 20;

export function createDoctor(options: DoctorOptions): Doctor {
  const { nodes, clock } = options;
  const look = (name: string) => examine(options, name);
  return {
    node: async (name) => (await look(name)).examined,
    all: async () => {
      const names = nodes.all().map((node) => node.name);
      const seen: Awaited<ReturnType<typeof look>>[] = [];
      for (let at = 0; at < names.length; at += AT_ONCE)
        seen.push(...(await Promise.all(names.slice(at, at + AT_ONCE).map(look))));
      const manager = await examineManager(
        options,
        seen.flatMap(({ ahead }) => ahead ?? []),
      );
      return [{ node: null, checks: manager, at: momentOf(clock) }, ...seen.map(({ examined }) => examined)];
    },
  };
}

const momentOf = (clock: Clock) => new Date(clock.now()).toISOString();

/** An agent that is asked is given so long by `ask`; one that is away is not asked at all. */
async function examine(
  options: DoctorOptions,
  name: string,
): Promise<{ examined: Examined; ahead?: number }> {
  const { view, nodes, judge, needs, reach, clock } = options;
  const node = view().Node.get(name);
  const seen = nodes.one(name);
  if (!node || !seen) throw new EvenkeelError('not-found', `there is no Node/${name}`);
  const { roles, parameters, address, system } = node.spec;
  const said = { address, agent: seen.version, protocol: PROTOCOL, arch: system?.arch ?? 'unknown' };
  const subject: Subject = { name, roles, parameters, facts: said };
  const health = view().Cluster.get('cluster')?.spec.health.port ?? HEALTH_PORT;
  const inward = portsIn({ address, from: address, listens: health, health }, reach);
  const at = momentOf(clock);
  try {
    const { box, checks = [], error } = await answerOf(options, seen, needs(subject));
    if (error !== undefined || !box) throw new Error(error ?? 'its agent is too old to be asked');
    const judged = judge({ ...subject, facts: { ...said, arch: box.arch, box } });
    const ahead = box.clock - clock.now();
    return { examined: { node: name, at, checks: merged([...checks, ...judged, await inward]) }, ahead };
  } catch (err) {
    return { examined: { node: name, at, checks: [await inward], error: messageOf(err) } };
  }
}

function answerOf(
  { ask }: DoctorOptions,
  { name, online, lastSeen }: NodeView,
  needs: Needs,
): Promise<Answer> {
  if (online) return ask(name, 'doctor', { needs });
  const seen = lastSeen === null ? 'it was never heard' : `it was last heard at ${lastSeen}`;
  throw new EvenkeelError('node-unreachable', `the node ${name} is not connected: ${seen}`);
}

async function examineManager(options: DoctorOptions, ahead: readonly number[]): Promise<Finding[]> {
  const { nodes, reach, clock } = options;
  const own: Own = { ...(await options.own()), now: clock.now(), nodes: nodes.all() };
  return merged([await doors(own, reach), disk(own), certificates(own), backup(own), clockOf(ahead)]);
}
