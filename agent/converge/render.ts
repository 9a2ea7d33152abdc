/** Render: what a unit should be by the versions that count for it, with only what changed since the active tree rendered. */

import { createUnitItems, inputsFor, type UnitItems } from '../../common/render/items.ts';
import type { Item, Previous, RenderedUnit, UnitInputs } from '../../common/render/rendered.ts';
import {
  resolveChecks,
  resolveDirectories,
  resolveLoaded,
  resolveService,
  resolveValidate,
} from '../../common/render/resolve.ts';
import type {
  ResolvedCheck,
  ResolvedDirectory,
  ResolvedLoaded,
  ResolvedService,
  ResolvedValidate,
} from '../../common/render/resolved.ts';
import { createTemplates } from '../../common/render/templates.ts';
import { renderSteps } from '../../common/render/unit.ts';
import { atOnce, inSlices } from '../../common/slices.ts';
import { milliseconds } from '../../common/units.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { canonical, type ResourceOf } from '../../protocol/resource.ts';
import type { PolicySpec } from '../../protocol/resources/policy.ts';
import { type Parsed, parseLines } from '../kernel/lines.ts';
import type { Desired, ItemOf } from '../state/desired.ts';
import type { Versions } from '../state/memory.ts';
import { split } from '../state/scopes.ts';
import type { Manifest } from '../state/trees.ts';
import { type ScopeStands, standsOf } from './standing.ts';

/** Everything that the steps after render need. */
export interface Wanted {
  rendered: RenderedUnit;
  manifest: Manifest;
  service: ResolvedService | undefined;
  validate: ResolvedValidate | undefined;
  loaded: ResolvedLoaded | undefined;
  checks: ResolvedCheck[];
  directories: ResolvedDirectory[];
  /** What is asked of the kernel, and the file that asks for it. */
  kernel: KernelFile | undefined;
  /** Milliseconds in which the checks must pass. */
  deadline: number;
  /** The versions in this render of what had changed since the unit was last good. */
  tried: Versions;
  /** Where the desired state stood at the moment whose versions these are. */
  scopes: ScopeStands;
}

export interface KernelFile extends Parsed {
  path: string;
}

export interface Suspects {
  /** Items of the unit's inputs. */
  items: string[];
  /** Policy, templates, node and cluster: what every file depends on. */
  shared: string[];
}

export interface Renderer {
  /** These resources may count in another version from now on. */
  look(keys: Iterable<string>): void;
  /**
   * @param previous what is right on the disk already, and need not be rendered again
   * @param as versions to take instead of those that count, as they are at the moment that the render is of
   * What arrives while it renders counts the next time.
   * @throws EvenkeelError render-failed or paths-differ
   */
  wanted(previous: Previous, as?: Versions | (() => Versions)): Promise<Wanted>;
  /** The versions that the last render tried, also where it failed. */
  tried(): Versions;
  /** What has changed since the unit was last good and is not held back, as far as it matters to the unit. */
  suspects(): Suspects;
  /** How many items the unit has. */
  count(): number;
}

export interface RendererOptions {
  unit: string;
  node: string;
  paths: { state: string; run: string; log: string };
  desired: Desired;
}

const NONE: Versions = new Map();

export function createRenderer({ unit, node, paths, desired }: RendererOptions): Renderer {
  const memory = desired.unit(unit);
  const own = { policy: `Policy/${unit}`, node: `Node/${node}`, cluster: 'Cluster/cluster' };
  const dirty = new Set<string>();
  let as = NONE;
  let fed: { inputs: string; items: UnitItems } | undefined;
  let last: { previous: Previous; wanted: Wanted } | undefined;
  let lastTried = NONE;
  let news = false;
  /** One render at a time: a plan that is asked for must not change the items below a pass. */
  let queue: Promise<unknown> = Promise.resolve();

  const version = (key: string): Item | null => (as.has(key) ? (as.get(key) ?? null) : memory.effective(key));
  const templates = createTemplates(
    (name) => (version(`Template/${name}`) as ItemOf<'Template'> | null)?.spec,
  );
  const feed = (items: UnitItems, key: string, item: Item | null) => {
    if (item) items.put(item);
    else items.delete(...split(key));
  };
  const keysOf = (inputs: PolicySpec['inputs']): string[] => {
    const kinds = new Set(Object.values(inputs).map(({ kind }) => kind));
    const present = [...kinds].flatMap((kind) => desired.list(kind).map(({ name }) => `${kind}/${name}`));
    const gone = memory.held().map(({ kind, name }) => `${kind}/${name}`);
    return [...new Set([...present, ...gone.filter((key) => kinds.has(split(key)[0] as never))])];
  };
  /** The items as they are now, all of them where the inputs are new; what changes meanwhile is dirty again. */
  function* gather({ inputs }: PolicySpec): Generator<undefined, UnitItems> {
    const text = canonical(inputs);
    if (fed?.inputs !== text) {
      fed = { inputs: text, items: createUnitItems(inputs) };
      dirty.clear();
      for (const key of keysOf(inputs)) dirty.add(key);
    }
    for (const key of dirty) {
      dirty.delete(key);
      feed(fed.items, key, memory.effective(key));
      yield;
    }
    return fed.items;
  }
  const inputsNow = (): UnitInputs => {
    const policy = version(own.policy) as ItemOf<'Policy'> | null;
    const self = version(own.node) as ItemOf<'Node'> | null;
    if (!policy || !self)
      throw new EvenkeelError('render-failed', `there is no ${policy ? own.node : own.policy} that counts`);
    const { state, run, log } = self.spec.paths;
    if (state !== paths.state || run !== paths.run || log !== paths.log)
      throw new EvenkeelError(
        'paths-differ',
        `the resource says ${canonical(self.spec.paths)}, the box ${canonical(paths)}`,
      );
    const cluster = (version(own.cluster) as ItemOf<'Cluster'> | null) ?? undefined;
    return { policy, node: self, cluster, templates, items: atOnce(gather(policy.spec)) };
  };
  const stands = () => standsOf(desired, node) ?? {};
  const tried = (): Versions =>
    new Map([...memory.changed()].filter(([key]) => !as.has(key) && !memory.isHeld(key)));
  /** What counts is taken down before the first slice: inputs, templates, and which versions are being tried. */
  const render = async (previous: Previous, replacing: () => Versions): Promise<Wanted> => {
    as = replacing();
    const policy = version(own.policy) as ItemOf<'Policy'> | null;
    as = NONE;
    if (policy) await inSlices(gather(policy.spec));
    const versions = replacing();
    as = versions;
    lastTried = tried();
    const inputs = inputsNow();
    const moment = { tried: lastTried, scopes: stands() };
    for (const key of versions.keys()) feed(inputs.items, key, version(key));
    try {
      const steps = renderSteps(inputs, previous);
      const first = steps.next();
      as = NONE;
      const rendered = first.done ? first.value : await inSlices(steps);
      return { ...resolved(inputs, rendered), ...moment };
    } finally {
      as = NONE;
      for (const key of versions.keys()) feed(inputs.items, key, memory.effective(key));
    }
  };
  const wanted = async (previous: Previous, replacing?: () => Versions): Promise<Wanted> => {
    // Nothing that matters to it has come since, so it is what the scopes of now want as well.
    if (!replacing && last?.previous === previous) return { ...last.wanted, scopes: stands() };
    news = false;
    const made = await render(previous, replacing ?? (() => NONE));
    if (!replacing && !news) last = { previous, wanted: made };
    return made;
  };
  const policyNow = () => memory.effective(own.policy) as ItemOf<'Policy'> | null;
  return {
    look: (keys) => {
      for (const key of keys) dirty.add(key);
      last = undefined;
      news = true;
    },
    tried: () => lastTried,
    wanted: (previous, versions = NONE) => {
      const replacing = typeof versions === 'function' ? versions : versions.size > 0 && (() => versions);
      const turn = queue.then(() => wanted(previous, replacing || undefined));
      queue = turn.catch(() => undefined);
      return turn;
    },
    suspects: () => {
      const keys = [...memory.changed().keys()].filter((key) => !memory.isHeld(key));
      const isShared = (key: string) => Object.values(own).includes(key) || key.startsWith('Template/');
      const inputs = policyNow()?.spec.inputs ?? {};
      const isItem = (key: string) =>
        [desired.get(...(split(key) as ['Site', string])), memory.good(key)].some(
          (item) => item && inputsFor(inputs, item).length > 0,
        );
      return { shared: keys.filter(isShared), items: keys.filter((key) => !isShared(key) && isItem(key)) };
    },
    count: () => {
      const { inputs = {} } = policyNow()?.spec ?? {};
      return keysOf(inputs).length;
    },
  };
}

function resolved(
  { policy }: { policy: ResourceOf<'Policy'> },
  rendered: RenderedUnit,
): Omit<Wanted, 'tried' | 'scopes'> {
  const { context } = rendered;
  return {
    rendered,
    manifest: {
      unit: rendered.unit,
      digest: rendered.digest,
      files: rendered.files.map(({ text: _, spans: __, ...file }) => file),
    },
    service: resolveService(policy, context),
    validate: resolveValidate(policy, context),
    loaded: resolveLoaded(policy, context),
    checks: resolveChecks(policy, context),
    directories: resolveDirectories(policy, context),
    kernel: kernelOf(policy, rendered),
    deadline: milliseconds(policy.spec.verify.deadline),
  };
}

/** @throws EvenkeelError render-failed for a policy whose kernel file is none of its files */
function kernelOf(
  { spec: { kernel } }: ResourceOf<'Policy'>,
  { files }: RenderedUnit,
): KernelFile | undefined {
  if (kernel === undefined) return undefined;
  const text = files.find(({ path }) => path === kernel)?.text;
  if (typeof text === 'string') return { path: kernel, ...parseLines(text) };
  throw new EvenkeelError('render-failed', `no file of the policy that stands for itself is named ${kernel}`);
}
