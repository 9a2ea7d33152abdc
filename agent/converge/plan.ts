/** Plan: the wanted tree against the active one and against the disk. It touches nothing. */
import type { Previous } from '../../common/render/rendered.ts';
import type { Difference } from '../kernel/differing.ts';
import type { Expected } from '../state/disk.ts';
import type { UnitRecord } from '../state/record.ts';
import type { Manifest, Trees } from '../state/trees.ts';
import { versionsHeld } from './hold.ts';
import type { Pass } from './pass.ts';
import type { Wanted } from './render.ts';

/** What has to be done, in the order in which it is done. */
export interface Todo {
  /** Files have to be written, and `current` perhaps led elsewhere. */
  tree: boolean;
  /** The daemon has to load what `current` leads to, or to be started. */
  load: boolean;
  /** The checks have to pass. */
  verify: boolean;
}

export interface Plan extends Todo {
  wanted: Wanted;
  active: Manifest | null;
  /** What on the disk is not as the active tree says. */
  drift: Expected[];
  /** The lines of this tree, which was loaded before, that the kernel does not hold any more. */
  kernel: Difference[];
  /** The daemon had loaded this tree, and has died since. */
  died: boolean;
}

export interface Facts {
  wanted: string;
  active: string | null;
  record: Pick<UnitRecord, 'wanted' | 'loaded' | 'good'>;
  drift: boolean;
  kernel: boolean;
  died: boolean;
  /** Another service runs than the policy says. */
  redefined: boolean;
}

/**
 * Each thing that is not as it should be asks for its step, whatever an earlier pass did or did not get done: a crash
 * after the swap is an owed reload, a crash after the reload an owed verify.
 */
export function decide({ wanted, active, record, drift, kernel, died, redefined }: Facts): Todo {
  const tree = active !== wanted || drift;
  const load = tree || owesLoad(record, wanted) || kernel || died || redefined;
  return { tree, load, verify: load || record.good !== wanted };
}

/** Whether the daemon has yet to show a tree, or to load again what was repaired in it. */
export const owesLoad = (record: Pick<UnitRecord, 'wanted' | 'loaded'>, digest: string): boolean =>
  record.loaded !== digest || record.wanted !== digest;

export async function planPass(pass: Pass, wanted: Wanted): Promise<Plan> {
  const { unit, tools } = pass;
  const active = await standingManifest(unit);
  const drift = active === null ? [] : await driftOf(pass, active);
  const kernel = await kernelDrift(pass, wanted);
  const died = hasDied(pass, wanted);
  const todo = decide({
    wanted: wanted.manifest.digest,
    active: active?.digest ?? null,
    record: unit.record.read(),
    drift: drift.length > 0,
    kernel: kernel.length > 0 || (await tools.kernel.isOwing(unit.name, wanted.kernel?.lines ?? [])),
    died,
    redefined: isRedefined(pass, wanted),
  });
  const complete = active !== null && drift.length > 0 ? await withTexts(pass, active, drift) : wanted;
  pass.scopes = complete.scopes;
  return { ...todo, wanted: complete, active, drift, kernel, died };
}

function hasDied({ unit, tools }: Pass, { service, manifest }: Wanted): boolean {
  if (service === undefined || unit.record.read().loaded !== manifest.digest) return false;
  return tools.driver.read(service).pid === null;
}

/** Of a tree that is not loaded yet, nothing has been asked of the kernel. */
async function kernelDrift({ unit, tools }: Pass, { kernel, manifest }: Wanted): Promise<Difference[]> {
  if (kernel === undefined || unit.record.read().loaded !== manifest.digest) return [];
  return tools.kernel.differing(kernel.lines);
}

/** Whether the service that runs was started in another way than it now would be. */
export function isRedefined({ unit }: Pass, { service }: Wanted): boolean {
  const { loaded, running } = unit.record.read();
  if (loaded === null || running === null) return loaded !== null && service !== undefined;
  return running.pidFile !== service?.pidFile || running.start.join('\0') !== service.start.join('\0');
}

export async function activeManifest(trees: Trees): Promise<Manifest | null> {
  const digest = await trees.active();
  return digest === null ? null : trees.manifest(digest);
}

/** The tree that was led to last: where `current` leads elsewhere since, a hand has done that, and it is drift. */
async function standingManifest({ trees, record }: Pass['unit']): Promise<Manifest | null> {
  const { wanted, loaded } = record.read();
  const led = wanted !== null && wanted === loaded ? await trees.manifest(wanted) : null;
  return led ?? activeManifest(trees);
}

const known = new WeakMap<Manifest, Previous>();

/** The files of a tree, as a render wants to know them; the same tree always gives the same map. */
export function previousOf(manifest: Manifest | null): Previous {
  if (manifest === null) return new Map();
  const previous = known.get(manifest) ?? new Map(manifest.files.map((file) => [file.path, file]));
  known.set(manifest, previous);
  return previous;
}

const driftOf = ({ unit, contents }: Pass, active: Manifest): Promise<Expected[]> =>
  unit.disk.differing(unit.trees.expected(active), { contents });

/** Files that are wrong on the disk are rendered again, since their bytes are needed. */
function withTexts(pass: Pass, active: Manifest, drift: readonly Expected[]): Promise<Wanted> {
  const wrong = new Set(drift.map(({ path }) => path));
  const previous = new Map([...previousOf(active)].filter(([path]) => !wrong.has(path)));
  return pass.unit.renderer.wanted(previous, versionsHeld(pass));
}
