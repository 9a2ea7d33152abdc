/** The data of the benchmarks: the same sites in every run, each like those that the peers were measured with. */
import { parseResource, type ResourceOf } from '../protocol/resource.ts';

const sizes = ['8m', '16m', '32m', '64m'];

export const siteName = (index: number): string => `site${String(index).padStart(5, '0')}.example.test`;

/** One site. A `turn` above zero gives it one more alias, so that each turn is another content. */
export function siteOf(index: number, turn = 0): ResourceOf<'Site'> {
  const name = siteName(index);
  const label = name.split('.')[0] as string;
  const aliases = [`www.${name}`, `${label}.cdn.example.test`];
  if (turn > 0) aliases.push(`turn${turn}.${name}`);
  const parsed = parseResource({
    kind: 'Site',
    name,
    spec: {
      aliases,
      root: `/srv/www/${label}/htdocs`,
      php: { socket: `/run/php/${label}.sock` },
      maxBody: sizes[index % sizes.length],
    },
  });
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('; '));
  return parsed.resource as ResourceOf<'Site'>;
}

export const sitesUpTo = (count: number): ResourceOf<'Site'>[] =>
  Array.from({ length: count }, (_, index) => siteOf(index));
