/** The fuzz: real parts, shaken by random steps and faults; afterwards every node is what the store says, to the byte. */
import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Cluster } from '../support/fuzz/cluster.ts';
import { put } from '../support/fuzz/cluster.ts';
import { site } from '../support/fuzz/declared.ts';
import { type Outcome, type RunOptions, runFuzz } from '../support/fuzz/run.ts';
import { trusting } from '../support/fuzz/trusting.ts';

const FIXED = 20261121;
const MINUTES = 60_000;

/** Both from the environment when a run is to be had again. */
const asked = {
  seed: process.env.EVENKEEL_FUZZ_SEED === undefined ? undefined : Number(process.env.EVENKEEL_FUZZ_SEED),
  steps: process.env.EVENKEEL_FUZZ_STEPS === undefined ? undefined : Number(process.env.EVENKEEL_FUZZ_STEPS),
};

/** Prints its seed, and how to run it again when it fails. */
async function fuzz(options: RunOptions): Promise<Outcome> {
  const { seed, steps } = options;
  console.log(`fuzz: seed ${seed}, ${steps} steps`);
  const outcome = await runFuzz(options);
  const { messages, links, revision, seconds } = outcome;
  console.log(`fuzz: seed ${seed}: ${JSON.stringify({ revision, ...messages, ...links, ...seconds })}`);
  return outcome;
}

const again = ({ seed, steps }: RunOptions) =>
  `run it again: EVENKEEL_FUZZ_SEED=${seed} EVENKEEL_FUZZ_STEPS=${steps} npx vitest run test/fuzz`;

async function expectAllAsDeclared(options: RunOptions) {
  const outcome = await fuzz(options).catch((cause: unknown) => {
    throw new Error(again(options), { cause });
  });
  expect(outcome.differences.slice(0, 50), again(options)).toEqual([]);
  return outcome;
}

describe('every node is what the store says', () => {
  it('after 2,000 steps of a fixed seed', { timeout: 4 * MINUTES }, async () => {
    const { messages, links } = await expectAllAsDeclared({ seed: FIXED, steps: asked.steps ?? 2000 });
    expect(Math.min(messages.lost, messages.doubled, links.inline, links.pulls)).toBeGreaterThan(0);
  });

  it('after the steps of a random seed, which is printed', { timeout: 4 * MINUTES }, async () => {
    await expectAllAsDeclared({ seed: asked.seed ?? randomInt(2 ** 31), steps: asked.steps ?? 1000 });
  });
});

/** A site whose delta is lost, under a head that says the truth. */
const loseOneChange = async ({ messages, write }: Cluster) => {
  messages.loseChange('Site/lost.example');
  await write([put(site('lost.example'))]);
};

describe('a delta that has lost a change', () => {
  const short = { seed: FIXED, steps: 100, lastly: loseOneChange };

  it('is found by the digest, and costs a snapshot', { timeout: 2 * MINUTES }, async () => {
    const { links } = await expectAllAsDeclared(short);
    expect(links.mismatches).toBeGreaterThan(0);
  });

  it('is not found by nodes that do not compare digests, and the judgement sees it', {
    timeout: 2 * MINUTES,
  }, async () => {
    const { differences, links } = await fuzz({ ...short, wear: trusting, patience: 10_000 });
    expect(links.mismatches).toBe(0);
    expect(differences.length).toBeGreaterThan(0);
    expect(differences.filter((difference) => !difference.includes('lost.example'))).toEqual([]);
  });
});
