/**
 * The ipvsadm driver: LVS without keepalived. The agent's own probes are the checkers, and the table is written by its
 * differences. It holds with the agent gone, but then nobody takes a member out.
 */
import type { BalancerDriver } from '../../../common/balancer.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import type { Ipvs } from './ipvs.ts';
import { type Change, planTable, type Target } from './plan.ts';
import { type Declaration, type Entry, structureOf } from './structure.ts';
import type { TableService } from './table.ts';
import { rowsOf, targetOf, trafficOf, wantsOf } from './target.ts';

/** What was read last. */
export interface Seen {
  entries: Entry[];
  table: TableService[];
  hz: number | null;
  isOurs: (key: string) => boolean;
}

export const nothingSeen: Seen = { entries: [], table: [], hz: null, isOurs: () => false };

/** The table, with all that a plan needs to know beside it. Null where the kernel has no IPVS. */
export async function look(ipvs: Ipvs, declaration: Declaration): Promise<Seen | null> {
  const table = await ipvs.read();
  if (table === null) return null;
  const entries = structureOf(declaration);
  const isOurs = await ipvs.own(entries.map(({ key }) => key));
  return { entries, table, hz: await ipvs.hz(table), isOurs };
}

/** @throws EvenkeelError driver-failed that names what the kernel did not take */
export function refuseLeft(left: readonly Change[]): void {
  if (left.length === 0) return;
  const lines = left.slice(0, 5).map(({ line }) => line);
  throw new EvenkeelError('driver-failed', `the kernel did not take ${lines.join('; ')}`);
}

export function createIpvsadmDriver({
  ipvs,
  declared,
}: {
  ipvs: Ipvs;
  declared: () => Declaration;
}): BalancerDriver {
  let seen = nothingSeen;
  let targets: Target[] = [];
  return {
    read: async () => {
      const found = await look(ipvs, declared());
      if (found === null) return null;
      seen = found;
      return rowsOf(seen.entries, seen.table, () => undefined);
    },
    plan: (wanted, _actual, shares = new Map()) => {
      const wants = wantsOf(wanted);
      const services = new Map(seen.table.map((service) => [service.key, service]));
      targets = seen.entries.map((entry) =>
        targetOf(entry, { wants, shares, actual: services.get(entry.key), takes: () => true }),
      );
      return planTable(targets, seen.table, seen).map(({ line }) => line);
    },
    apply: async (changes) => {
      await ipvs.write(changes);
      refuseLeft(planTable(targets, (await ipvs.read()) ?? [], seen));
    },
    // It survives whatever becomes of the agent.
    keep: async () => undefined,
    traffic: async () => trafficOf(await ipvs.stats(), seen.entries, seen.table),
  };
}
