/** Judging trees: what lies below `current` of every unit, byte for byte, against a render from scratch of what is declared. */
import { existsSync } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST } from '../../../agent/state/trees.ts';
import type { RenderedFile, RenderedUnit } from '../../../common/render/rendered.ts';
import { renderUnit, unitInputs } from '../../../common/render/unit.ts';
import type { Resource, ResourceOf } from '../../../protocol/resource.ts';

/** Every unit that a node must have, rendered without a past. */
export function unitsOf(name: string, resources: readonly Resource[]): RenderedUnit[] {
  const ofKind = <K extends Resource['kind']>(kind: K) =>
    resources.filter((one): one is ResourceOf<K> => one.kind === kind);
  const node = ofKind('Node').find((one) => one.name === name);
  if (!node) throw new Error(`${name} is not declared`);
  const [cluster] = ofKind('Cluster');
  const texts = new Map(ofKind('Template').map((one) => [one.name, one.spec]));
  const template = (wanted: string) => texts.get(wanted);
  return ofKind('Policy')
    .filter(({ spec }) => node.spec.roles.includes(spec.role))
    .map((policy) => renderUnit(unitInputs({ policy, node, cluster, template, resources })));
}

/** What is wrong with the trees below a state folder; nothing when all is as rendered. */
export async function treeDifferences(state: string, units: readonly RenderedUnit[]): Promise<string[]> {
  const folder = join(state, 'units');
  const there = existsSync(folder) ? await readdir(folder) : [];
  const wanted = new Set(units.map(({ unit }) => unit));
  const left = there.filter((unit) => !wanted.has(unit) && existsSync(join(folder, unit, 'current')));
  const found = await Promise.all(units.map((unit) => ofUnit(join(folder, unit.unit), unit)));
  return [...left.map((unit) => `unit ${unit} is still active`), ...found.flat()];
}

async function ofUnit(folder: string, { unit, digest, files }: RenderedUnit): Promise<string[]> {
  const active = await readlink(join(folder, 'current')).catch(() => 'nothing');
  if (active !== `trees/${digest}`) return [`unit ${unit} is at ${active}, rendered is ${digest}`];
  const tree = join(folder, 'current');
  const own = files.filter(({ live }) => !live).map(({ name }) => name);
  const extra = (await filesIn(tree)).filter((name) => name !== MANIFEST && !own.includes(name));
  const places = files.map((file) => ofFile(join(file.live ? join(folder, 'files') : tree, file.name), file));
  const wrong = (await Promise.all(places)).flat();
  return [...extra.map((name) => `${name} is in the tree`), ...wrong].map((what) => `unit ${unit}: ${what}`);
}

async function ofFile(place: string, { path, mode, text }: RenderedFile): Promise<string[]> {
  const stat = await lstat(place).catch(() => undefined);
  if (!stat?.isFile()) return [`${path} is not there`];
  const is = stat.mode & 0o7777;
  if (is !== mode) return [`${path} has the mode ${is.toString(8)}, not ${mode.toString(8)}`];
  return (await readFile(place, 'utf8')) === text ? [] : [`${path} has other bytes`];
}

/** Every file below a folder, by its path in it. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(`${folder}/`, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, '/').length));
}
