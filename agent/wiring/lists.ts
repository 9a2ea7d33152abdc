/** What root may look up of this box without a manager: its sites, and the packages that its roles need. */
import { policiesOf } from '../../common/policies.ts';
import type { LocalPackage, LocalSite } from '../../protocol/local.ts';
import type { UnitState } from '../converge/units.ts';
import type { Box } from '../preflight/box.ts';
import { missingPackages } from '../preflight/checks/packages.ts';
import { lookOf } from '../preflight/look.ts';
import type { Desired } from '../state/desired.ts';

/**
 * As each unit that takes sites serves them: what it holds back is named with its reason, and where its last pass has not
 * brought what is declared, nothing is claimed.
 */
export function localSites(
  desired: Pick<Desired, 'list' | 'unit'>,
  units: readonly Pick<UnitState, 'unit' | 'result' | 'current' | 'error'>[],
): LocalSite[] {
  const takers = new Set(
    desired
      .list('Policy')
      .filter(({ spec }) => Object.values(spec.inputs).some(({ kind }) => kind === 'Site'))
      .map(({ name }) => name),
  );
  const serving = units.filter(({ unit }) => takers.has(unit));
  const held = new Map(
    serving.flatMap(({ unit }) =>
      desired
        .unit(unit)
        .held()
        .filter(({ kind }) => kind === 'Site')
        .map((item) => [item.name, item]),
    ),
  );
  const behind = serving.find((unit) => !isServing(unit));
  const otherwise = stateOf(serving.length === 0, behind);
  return desired
    .list('Site')
    .map(({ name, spec: { aliases } }): LocalSite => {
      const item = held.get(name);
      return { name, aliases, ...(item ? { serves: item.serving, reason: item.reason } : otherwise) };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Whether everything that it does not hold back is served as it is declared; a unit that is on hold itself says so as an error. */
const isServing = ({ result, current, error }: Pick<UnitState, 'result' | 'current' | 'error'>): boolean =>
  current && (['unchanged', 'changed', 'corrected'].includes(result) || (result === 'held' && error === ''));

type Serves = Pick<LocalSite, 'serves' | 'reason'>;

function stateOf(
  nobody: boolean,
  behind: Pick<UnitState, 'unit' | 'result' | 'error' | 'current'> | undefined,
): Serves {
  if (nobody) return { serves: 'nothing', reason: 'no unit of this box serves sites' };
  if (behind === undefined) return { serves: 'as-declared', reason: '' };
  const { unit, result, error } = behind;
  return { serves: 'not-known', reason: `${unit}: ${error || result}` };
}

/** As the policies that hold on this box name them; null where nobody knows the packages of its distribution. */
export async function localPackages(
  desired: Pick<Desired, 'list' | 'get'>,
  node: string,
  box: Box,
): Promise<LocalPackage[] | null> {
  const { family } = (await lookOf(box)).os;
  if (family === 'other') return null;
  const { roles = [], parameters = {} } = desired.get('Node', node)?.spec ?? {};
  const policies = policiesOf(
    desired.list('Policy'),
    { roles, parameters },
    desired.get('Cluster', 'cluster'),
  );
  const names = [...new Set(policies.flatMap(({ spec: { packages } }) => packages?.[family] ?? []))].sort();
  const missing = await missingPackages(box, family, names);
  return names.map((name) => ({ name, installed: missing === null ? null : !missing.includes(name) }));
}
