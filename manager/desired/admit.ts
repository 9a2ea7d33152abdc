/** Admit: everything that is wrong with a request, judged on what the store would hold afterwards. All at once. Pure. */
import type { Proposal } from '../../common/rules.ts';
import type { Problem } from '../../protocol/errors.ts';
import { actionProblems } from './actions.ts';
import { addressProblems } from './addresses.ts';
import { balancerProblems } from './balancer.ts';
import { claimProblems } from './claims.ts';
import { directorProblems, memberProblems } from './directors.ts';
import { domainProblems } from './domains.ts';
import { moveProblems } from './moves.ts';
import { networkProblems } from './networks.ts';
import { parameterProblems } from './parameters.ts';
import { problemAt, type Touched, touchedBy } from './place.ts';
import { probeProblems } from './probes.ts';
import { referenceProblems } from './references.ts';
import { scheduleProblems } from './schedules.ts';
import { storageProblems } from './storages.ts';
import { textProblems } from './texts.ts';

/** What does not parse cannot be tried on the nodes, and what does not fit cannot be rendered: then the later steps wait. */
export function admit(proposal: Proposal): Problem[] {
  const touched = touchedBy(proposal.edits);
  const problems = [
    ...clusterProblems(touched),
    ...everyNodeProblems(touched),
    ...domainProblems(proposal, touched),
    ...addressProblems(proposal, touched),
    ...networkProblems(proposal, touched),
    ...balancerProblems(proposal, touched),
    ...directorProblems(proposal, touched),
    ...memberProblems(proposal, touched),
    ...moveProblems(proposal, touched),
    ...storageProblems(proposal, touched),
    ...probeProblems(touched),
    ...referenceProblems(proposal, touched),
    ...textProblems(proposal, touched),
    ...actionProblems(touched),
    ...scheduleProblems(proposal, touched),
  ];
  if (problems.length > 0) return problems;
  const unfit = parameterProblems(proposal, touched);
  return unfit.length > 0 ? unfit : claimProblems(proposal, touched);
}

/** There is one Cluster; its schema gives it its name, so only a deletion can break that. */
const clusterProblems = (touched: Touched): Problem[] =>
  touched.deletions('Cluster').map(({ edit }) =>
    problemAt(edit, '', {
      code: 'still-referenced',
      message: 'the Cluster holds for all nodes and cannot be deleted',
      fix: 'change it instead',
    }),
  );

/** Who says `all` means every node: a run on the one that has this name would be done on all. */
const everyNodeProblems = (touched: Touched): Problem[] =>
  touched.puts('Node').flatMap(({ edit, resource: { name, spec } }) =>
    [['name', name] as const, ...spec.roles.map((role, at) => [`spec/roles/${at}`, role] as const)]
      .filter(([, word]) => word === 'all')
      .map(([field, value]) =>
        problemAt(edit, field, {
          ...{ code: 'invalid-document', value },
          message: 'all stands for every node, wherever nodes are selected',
          fix: 'use another word',
        }),
      ),
  );
