/** One run of the fuzz: random steps, everything mended, then the wait until all is as declared. */
import { EvenkeelError, messageOf } from '../../../protocol/errors.ts';
import { type Cluster, type ClusterOptions, startCluster } from './cluster.ts';
import { differences, readTruth } from './judge.ts';
import { createRandom } from './random.ts';
import { type Step, steps, type World } from './steps.ts';

export interface RunOptions extends Partial<ClusterOptions> {
  seed: number;
  steps: number;
  /** After the last step, when everything is mended and as declared. */
  lastly?: (cluster: Cluster) => Promise<void>;
  /** How long the nodes may take to be as declared, in milliseconds. */
  patience?: number;
}

export interface Outcome {
  /** Empty when every node is as declared. */
  differences: string[];
  /** How often each step was taken. */
  taken: Record<string, number>;
  messages: { lost: number; doubled: number };
  /** Of all agents. */
  links: { inline: number; pulls: number; mismatches: number; refused: number };
  revision: number;
  seconds: { steps: number; settling: number };
}

const now = () => performance.now() / 1000;

export async function runFuzz(options: RunOptions): Promise<Outcome> {
  const { agents = 20, wear, lastly, patience = 60_000 } = options;
  const cluster = await startCluster({ agents, ...(wear ? { wear } : {}) });
  try {
    const began = now();
    const taken = await shake(cluster, options);
    const shaken = now();
    if (lastly) {
      await settle(cluster, patience);
      await lastly(cluster);
    }
    const found = await settle(cluster, patience);
    return {
      differences: found,
      taken,
      messages: cluster.messages.counts(),
      links: linksOf(cluster),
      revision: cluster.manager.store().meta().revision,
      seconds: { steps: shaken - began, settling: now() - shaken },
    };
  } finally {
    await cluster.stop();
  }
}

/** Takes the steps as fast as they can be, and mends everything at the end. */
async function shake(cluster: Cluster, { seed, steps: count }: RunOptions): Promise<Outcome['taken']> {
  const random = createRandom(seed);
  const taken: Outcome['taken'] = {};
  const mends: { at: number; mend: () => Promise<void> | void }[] = [];
  const writes = createWrites();
  const mendUntil = async (at: number) => {
    for (const due of mends.filter((mend) => mend.at <= at)) {
      mends.splice(mends.indexOf(due), 1);
      await due.mend();
    }
  };
  for (let at = 0; at < count; at += 1) {
    await mendUntil(at);
    const step = random.weighed(steps);
    if (step.writes && !cluster.manager.isUp()) continue;
    taken[step.name] = (taken[step.name] ?? 0) + 1;
    const later = (after: number, mend: () => Promise<void> | void) => mends.push({ at: at + after, mend });
    if (step.alone) await writes.done();
    await writes.add(take(step, at, { cluster, random, later }));
  }
  await writes.done();
  await mendUntil(Number.POSITIVE_INFINITY);
  cluster.messages.lose(0);
  cluster.messages.double(0);
  return taken;
}

const MOST_AT_ONCE = 8;

/** What operators have asked and not heard of yet: several requests may become one commit. */
function createWrites() {
  const open = new Set<Promise<void>>();
  const done = async () => {
    await Promise.all(open);
  };
  return {
    add: async (work: Promise<void>) => {
      const one = work.finally(() => open.delete(one));
      open.add(one);
      await (open.size < MOST_AT_ONCE ? new Promise(setImmediate) : Promise.race(open));
    },
    done,
  };
}

async function take(step: Step, at: number, world: World): Promise<void> {
  try {
    await step.run(world);
  } catch (cause) {
    // Somebody else's request came first.
    if (cause instanceof EvenkeelError && cause.code === 'not-found') return;
    throw new Error(`step ${at}, ${step.name}: ${messageOf(cause)}`, { cause });
  }
}

/** Waits until nothing differs. What still differs at the end of the patience is the outcome. */
async function settle(cluster: Cluster, patience: number): Promise<string[]> {
  const truth = await readTruth(cluster.manager.store(), cluster);
  const deadline = performance.now() + patience;
  for (;;) {
    const found = await differences(cluster, truth);
    if (found.length === 0 || performance.now() > deadline) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function linksOf({ members }: Cluster): Outcome['links'] {
  const sum = { inline: 0, pulls: 0, mismatches: 0, refused: 0 };
  for (const { agent } of members) {
    const counts = agent.counts();
    sum.inline += counts.inline;
    sum.pulls += counts.pulls;
    sum.mismatches += counts.mismatches;
    sum.refused += counts.refused;
  }
  return sum;
}
