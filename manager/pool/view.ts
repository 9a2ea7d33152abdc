/** The pool view: who is wanted in a pool and who really is, as the API shows it. */
import type { Declared } from '../../common/view.ts';
import type { PoolMember } from '../../protocol/messages.ts';
import type { VirtualServiceSpec } from '../../protocol/resources/virtual-service.ts';
import type { PoolView } from '../../protocol/views.ts';
import type { DirectorReport } from './compose.ts';

export interface PoolViewInputs {
  service: Declared<VirtualServiceSpec>;
  seq: number;
  fallback: boolean;
  probesOnly: boolean;
  members: readonly PoolMember[];
  reports: readonly DirectorReport[];
}

export const poolView = ({
  service,
  seq,
  fallback,
  probesOnly,
  members,
  reports,
}: PoolViewInputs): PoolView => ({
  service: service.name,
  vip: service.spec.vip,
  ports: service.spec.ports.map(({ port }) => port),
  seq,
  fallback,
  probesOnly,
  members: members.map((wanted) => ({ node: wanted.node, wanted, actual: actualOf(wanted.node, reports) })),
});

const actualOf = (node: string, reports: readonly DirectorReport[]): PoolView['members'][number]['actual'] =>
  reports.flatMap(({ director, report }) =>
    report.members
      .filter((member) => member.node === node)
      .map(({ state, weight, connections, probe, detail }) => ({
        director,
        state,
        weight,
        connections,
        probe,
        detail,
        seq: report.seq,
      })),
  );
