/** The preview of a dry run: what would change in what is declared, and in the files on each kind of node. */
import { stringify } from 'yaml';
import { holdsOn } from '../../../common/policies.ts';
import { unifiedDiff } from '../../../common/render/diff.ts';
import type { Item } from '../../../common/render/item.ts';
import type { RenderedFile } from '../../../common/render/rendered.ts';
import { EvenkeelError, messageOf } from '../../../protocol/errors.ts';
import type { FileDiff } from '../../../protocol/messages.ts';
import { keyOf, type ResourceOf } from '../../../protocol/resource.ts';
import type { ApplyAnswer } from '../../../protocol/views.ts';
import type { WriteResult } from '../../store/store.ts';
import type { ApiStore } from '../given.ts';
import { type Alike, alikeOf, touchedUnits } from './fleet.ts';
import { type Changed, type Declared, declaredAfter } from './proposed.ts';
import { type Renderer, takesSites } from './render.ts';
import { MOST_SITES } from './render-check.ts';
import type { Slices } from './slices.ts';

type Rendered = ApplyAnswer['rendered'][number];
type UnitDiff = Rendered['units'][number];

const MOST_CHANGES = 200;
const MOST_KINDS = 20;
const MOST_DIFFS = 200;

/** The resources that change, without diffs. */
export const changedOnly = ({ outcomes }: WriteResult): ApplyAnswer['changes'] =>
  outcomes
    .filter(({ op }) => op !== 'unchanged')
    .slice(0, MOST_CHANGES)
    .map(({ kind, name, op }) => ({ kind, name, op, diff: '' }));

/** The same with the diff of each spec. */
export async function changedWithDiffs(
  result: WriteResult,
  changes: readonly Changed[],
  store: ApiStore,
): Promise<ApplyAnswer['changes']> {
  const after = new Map(changes.map((change) => [keyOf(change), change.item?.spec]));
  return Promise.all(
    changedOnly(result).map(async (change) => {
      const before = (await store.get(change.kind, change.name))?.spec;
      const { diff } = unifiedDiff(keyOf(change), textOf(before), textOf(after.get(keyOf(change))));
      return { ...change, diff };
    }),
  );
}

const textOf = (spec: object | undefined): string | null =>
  spec === undefined ? null : stringify(spec, { sortMapEntries: true });

export interface Preview {
  rendered: Rendered[];
  /** What is left out, and where to see it. */
  warnings: string[];
}

/** Renders the touched units before and after, on one node of each kind. */
export async function previewOf(
  changes: readonly Changed[],
  now: Declared,
  { renderer, breathe }: { renderer: Renderer; breathe: Slices },
): Promise<Preview> {
  const after = declaredAfter(now, changes);
  const touched = touchedUnits(changes, after).map(({ policy }) => policy);
  const [sitesBefore, sitesAfter] = touched.some(takesSites)
    ? [await now.sites(), await after.sites()]
    : [[], []];
  const tooMany = Math.max(sitesBefore.length, sitesAfter.length) > MOST_SITES;
  const policies = touched.filter((policy) => !tooMany || !takesSites(policy));
  const kinds = alikeOf(after.of('Node').values(), now.of('Node'));
  const budget = { diffs: MOST_DIFFS };
  const units = policies.map((policy) => ({
    policy,
    diff: unitDiff(policy, { now, after, renderer, breathe, budget, sitesBefore, sitesAfter }),
  }));
  const cluster = after.of('Cluster').get('cluster');
  const rendered: Rendered[] = [];
  for (const kind of kinds.slice(0, MOST_KINDS)) {
    const diffs: UnitDiff[] = [];
    for (const { policy, diff } of units)
      if (holdsOn(kind.node.spec, cluster, policy)) diffs.push(await diff(kind));
    const told = diffs.filter(({ files, error }) => files.length > 0 || error);
    if (told.length > 0) rendered.push({ node: kind.node.name, alike: kind.names.slice(1), units: told });
  }
  return {
    rendered,
    warnings: [
      ...(tooMany
        ? [`with more than ${MOST_SITES} sites no files are compared: ask a node, evenkeel plan NODE`]
        : []),
      ...(kinds.length > MOST_KINDS
        ? [`${kinds.length - MOST_KINDS} further kinds of nodes are not shown`]
        : []),
      ...(budget.diffs <= 0 ? [`only the first ${MOST_DIFFS} changed files are shown`] : []),
    ],
  };
}

interface DiffOptions {
  now: Declared;
  after: Declared;
  renderer: Renderer;
  breathe: Slices;
  /** How many more files may be compared. */
  budget: { diffs: number };
  sitesBefore: readonly Item[];
  sitesAfter: readonly Item[];
}

function unitDiff(policy: ResourceOf<'Policy'>, options: DiffOptions): (kind: Alike) => Promise<UnitDiff> {
  const { now, after, renderer, breathe, budget, sitesBefore, sitesAfter } = options;
  const job = { breathe, texts: true };
  const policyBefore = now.of('Policy').get(policy.name);
  const renderBefore = async (node: ResourceOf<'Node'>) =>
    policyBefore
      ? (await renderer.unit({ ...job, policy: policyBefore, sites: sitesBefore, from: now }, node)).files
      : [];
  return async ({ node }) => {
    const nodeBefore = now.of('Node').get(node.name);
    const had =
      policyBefore && nodeBefore && holdsOn(nodeBefore.spec, now.of('Cluster').get('cluster'), policyBefore);
    try {
      const before = had ? await renderBefore(nodeBefore) : [];
      const { files } = await renderer.unit({ ...job, policy, sites: sitesAfter, from: after }, node);
      return { unit: policy.name, files: await fileDiffs(before, files, { budget, breathe }) };
    } catch (err) {
      if (err instanceof EvenkeelError && err.code === 'timeout') throw err;
      return { unit: policy.name, files: [], error: messageOf(err) };
    }
  };
}

async function fileDiffs(
  before: RenderedFile[],
  after: RenderedFile[],
  { budget, breathe }: Pick<DiffOptions, 'budget' | 'breathe'>,
): Promise<FileDiff[]> {
  const had = new Map(before.map((file) => [file.path, file]));
  const has = new Map(after.map((file) => [file.path, file]));
  const diffs: FileDiff[] = [];
  for (const path of [...new Set([...had.keys(), ...has.keys()])].sort()) {
    const [old, fresh] = [had.get(path), has.get(path)];
    if (old?.hash === fresh?.hash) continue;
    budget.diffs -= 1;
    if (budget.diffs < 0) continue;
    diffs.push(unifiedDiff(path, old?.text ?? null, fresh?.text ?? null));
    await breathe();
  }
  return diffs;
}
