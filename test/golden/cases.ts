/** Golden cases: one file each, documents above a line of equal signs and every rendered file below it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { RenderedUnit, UnitInputs } from '../../common/render/rendered.ts';
import { unitInputs } from '../../common/render/unit.ts';
import type { Resource, ResourceOf } from '../../protocol/resource.ts';
import { resourceOf, shipped } from '../unit/render/declared.ts';

const RULE = '================================================================\n';

export interface Case {
  name: string;
  /** The documents as text: comments, then `unit` and `node`, then resources. */
  given: string;
  expected: string;
}

export const cases: Case[] = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.golden'))
  .sort()
  .map((name) => {
    const [given = '', expected = ''] = readFileSync(join(import.meta.dirname, name), 'utf8').split(RULE);
    return { name, given, expected };
  });

/** `EVENKEEL_GOLDEN=write` writes what is rendered now, to be read before it is committed. */
export const rewrite = (one: Case, text: string) =>
  writeFileSync(join(import.meta.dirname, one.name), `${one.given}${RULE}${text}`);

/** The inputs of a case. Policies and templates are those that ship, and those of the case over them. */
export async function inputsOf(one: Case, adapt = (document: unknown) => document): Promise<UnitInputs> {
  const [what, ...documents] = parseAllDocuments(one.given).map((document) => document.toJS() as unknown);
  const { unit, node } = what as { unit: string; node: string };
  const own = documents.map((document) => resourceOf(adapt(document)));
  const resources = [...(await shipped()).resources, ...own];
  const find = <K extends Resource['kind']>(kind: K, name: string) =>
    resources.findLast((one) => one.kind === kind && one.name === name) as ResourceOf<K> | undefined;
  const [policy, box] = [find('Policy', unit), find('Node', node)];
  if (!policy || !box) throw new Error(`${one.name} names no policy ${unit} or no node ${node}`);
  const template = (name: string) => find('Template', name)?.spec;
  return unitInputs({ policy, node: box, cluster: find('Cluster', 'cluster'), template, resources: own });
}

export const textOf = (unit: RenderedUnit): string =>
  unit.files
    .map(({ path, name, mode, link, text }) => {
      const facts = [name === path ? '' : name, mode === 0o644 ? '' : mode.toString(8), link ?? ''].filter(
        Boolean,
      );
      return `==> ${[path, ...facts].join('  ')}\n${text}`;
    })
    .join('\n');
