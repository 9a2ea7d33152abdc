/**
 * One unit made of the agent's own parts, without a daemon: what is received is kept, rendered, staged and activated
 * as the agent does it, on the real disk. The daemon's checker and its reload, which cost every tool the same, are not here.
 */

import { join } from 'node:path';
import { createRenderer, type Renderer, type Wanted } from '../../agent/converge/render.ts';
import { createDesired, type Desired } from '../../agent/state/desired.ts';
import { createDisk, type Disk } from '../../agent/state/disk.ts';
import type { Versions } from '../../agent/state/memory.ts';
import { openRecord, type RecordFile } from '../../agent/state/record.ts';
import { createTrees, type Manifest, type Trees } from '../../agent/state/trees.ts';
import { createScopeSum, sha256 } from '../../common/digest.ts';
import { makeFolder } from '../../common/files.ts';
import { createLog } from '../../common/log.ts';
import type { Previous } from '../../common/render/rendered.ts';
import { canonical, type Resource, type ResourceOf } from '../../protocol/resource.ts';
import { type Declared, NODE, pathsIn, UNIT } from './declared.ts';

const SCOPE = 'role/web';

export interface UnitUnderTest {
  trees: Trees;
  disk: Disk;
  /** Keeps the change durably, as it comes in a head. */
  receive(site: ResourceOf<'Site'>): Promise<void>;
  /** Render, plan, stage, activate. Returns the active tree's manifest. */
  converge(): Promise<Manifest>;
  /** It serves: what was tried is good. The agent does this when the daemon has loaded the tree. */
  settle(): Promise<void>;
  /** What a minute's sweep does. */
  sweep(manifest: Manifest): Promise<number>;
  close(): Promise<void>;
}

interface Parts {
  desired: Desired;
  renderer: Renderer;
  trees: Trees;
  disk: Disk;
  record: RecordFile;
}

/** A node that has received everything and made nothing of it yet. */
export async function openUnit(
  folder: string,
  declared: Declared,
  sites: readonly Resource[],
): Promise<UnitUnderTest> {
  const log = createLog('bench', 'silent');
  const paths = pathsIn(folder);
  const unitFolder = join(paths.state, 'units', UNIT);
  await makeFolder(unitFolder);
  const desired = createDesired({ folder: paths.state, log });
  const stop = await desired.start();
  const sum = createScopeSum();
  const everything = [declared.policy, ...declared.templates, declared.node, ...sites];
  const known = new Map(everything.map((resource) => [resource.name, changeOf(resource)]));
  for (const { kind, name, digest } of known.values()) sum.add(kind, name, digest);
  let rev = 1;
  const stand = () => ({ epoch: 1, rev, count: known.size, digest: sum.hex() });
  await desired.apply(SCOPE, { ...stand(), snapshot: true, changes: [...known.values()] });
  const trees = createTrees({ folder: unitFolder });
  const renderer = createRenderer({ unit: UNIT, node: NODE, paths, desired });
  let tried: Versions = new Map();
  const parts = { desired, renderer, trees, disk: createDisk(), record: await openRecord(unitFolder) };
  return {
    trees,
    disk: parts.disk,
    receive: async (site) => {
      const [before, change] = [known.get(site.name), changeOf(site)];
      if (before) sum.remove(before.kind, before.name, before.digest);
      sum.add(change.kind, change.name, change.digest);
      known.set(site.name, change);
      rev += 1;
      renderer.look(await desired.apply(SCOPE, { ...stand(), snapshot: false, changes: [change] }));
    },
    converge: async () => {
      const wanted = await converge(parts);
      tried = wanted.tried;
      return wanted.manifest;
    },
    settle: () => desired.settle(UNIT, tried),
    sweep: async (manifest) => (await parts.disk.differing(trees.expected(manifest))).length,
    close: stop,
  };
}

function changeOf({ kind, name, spec }: Resource) {
  const body = canonical(spec);
  return { op: 'put' as const, kind, name, body, digest: sha256(body) };
}

async function converge({ renderer, trees, disk, record }: Parts): Promise<Wanted> {
  const active = await trees.active();
  const before = active === null ? null : await trees.manifest(active);
  const previous: Previous = new Map(before?.files.map((file) => [file.path, file]));
  const wanted = await renderer.wanted(previous);
  const { rendered, manifest } = wanted;
  if (before && (await disk.differing(trees.expected(before))).length > 0)
    throw new Error('the disk was touched');
  const texts = rendered.files.flatMap(({ spans: _, text, ...file }) =>
    text === null ? [] : [{ ...file, text }],
  );
  await trees.stage(manifest, texts);
  await record.write({ wanted: manifest.digest });
  await trees.activate(manifest.digest);
  return wanted;
}
