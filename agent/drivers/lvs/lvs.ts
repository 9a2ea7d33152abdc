/**
 * The lvs driver: keepalived holds the table, and is told by tracked files who is in. It never repairs what others do to
 * the table, loses track of what it found there at its start, and may hang: what it does not do is done by ipvsadm.
 */
import type { BalancerDriver } from '../../../common/balancer.ts';
import type { Clock } from '../../../common/clock.ts';
import { decideLvs, memberOf } from './decide.ts';
import { memberIn, type TrackedFiles } from './files.ts';
import type { Ipvs } from './ipvs.ts';
import { look, nothingSeen, refuseLeft } from './ipvsadm.ts';
import { type Change, planTable, type Target } from './plan.ts';
import { type Declaration, structureOf } from './structure.ts';
import { rowsOf, trafficOf, wantsOf } from './target.ts';

export interface LvsOptions {
  ipvs: Ipvs;
  files: TrackedFiles;
  declared: () => Declaration;
  /** Whether keepalived stands still. */
  isStopped: () => boolean;
  /** Says that keepalived does not do what it is told, or that it does again. */
  alarm: (active: boolean) => void;
  clock: Clock;
}

/** keepalived needs 2 ms; the box may be busy. */
const OBEYED_MS = 250;
const POLL_MS = 5;
const SOON_MS = 250;
/** Once may be keepalived's ignorance of what it found in the table at its start. */
const TWICE = 2;

const telling = /^tell (?<member>\S+) (?<down>down|up) (?<weight>\d+)$/;

export function createLvsDriver({
  ipvs,
  files,
  declared,
  isStopped,
  alarm,
  clock,
}: LvsOptions): BalancerDriver {
  let seen = nothingSeen;
  let targets: Target[] = [];
  let missing: ReadonlyMap<string, number> = new Map();
  let soon = Number.POSITIVE_INFINITY;
  let disobeyed = 0;
  const leftNow = async () => planTable(targets, (await ipvs.read()) ?? [], seen);
  /** Waits until the table shows what keepalived was told; who is to come in is checked by it first, and not waited for. */
  const obeyed = async (members: ReadonlySet<string>): Promise<Change[]> => {
    const about = memberOf(seen.entries);
    const isTold = (change: Change) => {
      const member = about(change);
      return (
        change.what !== 'add' && member !== undefined && members.has(memberIn(member.entry, member.node))
      );
    };
    const end = clock.monotonic() + OBEYED_MS;
    for (;;) {
      const left = (await leftNow()).filter(isTold);
      if (left.length === 0 || clock.monotonic() >= end) return left;
      await clock.sleep(POLL_MS);
    }
  };
  const tell = async (changes: readonly string[]): Promise<Change[]> => {
    const members = new Set<string>();
    for (const change of changes) {
      const { member, down, weight } = telling.exec(change)?.groups ?? {};
      if (member === undefined) continue;
      members.add(member);
      await files.write(member, { down: down === 'down', weight: Number(weight) });
    }
    if (members.size === 0) return [];
    const left = await obeyed(members);
    disobeyed = left.length === 0 ? 0 : disobeyed + 1;
    alarm(disobeyed >= TWICE || (disobeyed > 0 && isStopped()));
    return left;
  };
  return {
    read: async () => {
      const found = await look(ipvs, declared());
      if (found === null) return null;
      seen = found;
      return rowsOf(seen.entries, seen.table, (entry, node) => files.read(memberIn(entry, node)));
    },
    plan: (wanted, _actual, shares = new Map()) => {
      const inputs = {
        seen,
        wants: wantsOf(wanted),
        shares,
        told: files.read,
        missing,
        now: clock.monotonic(),
      };
      const decided = decideLvs(inputs);
      ({ targets, missing } = decided);
      soon = missing.size > 0 || decided.tell.size > 0 ? SOON_MS : Number.POSITIVE_INFINITY;
      const told = [...decided.tell].map(
        ([member, { down, weight }]) => `tell ${member} ${down ? 'down' : 'up'} ${weight}`,
      );
      return [...told, ...decided.changes.map(({ line }) => line)];
    },
    apply: async (changes) => {
      const late = await tell(changes);
      const lines = [...changes.filter((change) => change.startsWith('-')), ...late.map(({ line }) => line)];
      await ipvs.write(lines);
      const left = lines.length === 0 ? [] : await leftNow();
      refuseLeft(left.filter(({ line }) => lines.includes(line)));
    },
    keep: () => files.fill(structureOf(declared())),
    soon: () => soon,
    traffic: async () => trafficOf(await ipvs.stats(), seen.entries, seen.table),
  };
}
