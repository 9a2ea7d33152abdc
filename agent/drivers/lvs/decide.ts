/** Deciding with keepalived: what it is told by its tracked files, and what is left for ipvsadm, which it never does. Pure. */
import { memberIn, type Told } from './files.ts';
import type { Seen } from './ipvsadm.ts';
import { type Change, planTable, type Target } from './plan.ts';
import type { Entry } from './structure.ts';
import type { TableService } from './table.ts';
import { targetOf, type Wants, wantOf } from './target.ts';

export interface DecideInputs {
  seen: Seen;
  wants: Wants;
  shares: ReadonlyMap<string, number>;
  /** What keepalived has been told of a member. */
  told: (member: string) => Told | null;
  /** Since when who is wanted has been missing in the table, in monotonic time. */
  missing: ReadonlyMap<string, number>;
  now: number;
}

export interface Decided {
  tell: Map<string, Told>;
  /** For ipvsadm, in order. */
  changes: Change[];
  targets: Target[];
  missing: ReadonlyMap<string, number>;
}

/** Longer than keepalived's own check of a member needs: two connects of at most 0.5 s, half a second apart. */
const GRACE_MS = 3_000;

export function decideLvs(inputs: DecideInputs): Decided {
  const { seen, wants, shares } = inputs;
  const services = new Map(seen.table.map((service) => [service.key, service]));
  const placesOf = ({ key }: Entry) => new Set(services.get(key)?.servers.map(({ place }) => place));
  const tell = tellings(inputs);
  const missing = missingNow(inputs, placesOf);
  const mayChange = oursToDo({ ...inputs, missing }, tell, services);
  const targets = seen.entries.map((entry) => {
    const has = placesOf(entry);
    const added = (place: string) => mayChange({ what: 'add', key: entry.key, place, line: '' });
    const takes = (place: string) => has.has(place) || added(place);
    return targetOf(entry, { wants, shares, actual: services.get(entry.key), takes });
  });
  return { tell, changes: planTable(targets, seen.table, seen).filter(mayChange), targets, missing };
}

function tellings({ seen, wants, told }: DecideInputs): Map<string, Told> {
  const found = new Map<string, Told>();
  for (const entry of seen.entries)
    for (const { node } of entry.members) {
      const want = wantOf(entry, node, wants);
      if (want === undefined) continue;
      const wish = { down: want.state === 'down', weight: want.state === 'up' ? want.weight : 0 };
      const member = memberIn(entry, node);
      const now = told(member);
      const isSame = now?.down === wish.down && (wish.down || now.weight === wish.weight);
      if (!isSame) found.set(member, wish);
    }
  return found;
}

function missingNow(
  { seen, wants, missing, now }: DecideInputs,
  placesOf: (entry: Entry) => Set<string>,
): Map<string, number> {
  const next = new Map<string, number>();
  for (const entry of seen.entries) {
    const has = placesOf(entry);
    for (const { node, place } of entry.members)
      if (wantOf(entry, node, wants)?.state === 'up' && !has.has(place))
        next.set(`${entry.key} ${place}`, missing.get(`${entry.key} ${place}`) ?? now);
  }
  return next;
}

/** The member that a change is about; undefined for a service, the fallback, or who is no member any more. */
export function memberOf(
  entries: readonly Entry[],
): (change: Change) => { entry: Entry; node: string } | undefined {
  const byKey = new Map(entries.map((entry) => [entry.key, entry]));
  return ({ key, place }) => {
    const entry = byKey.get(key);
    const node = entry?.members.find((member) => member.place === place)?.node;
    return entry === undefined || node === undefined ? undefined : { entry, node };
  };
}

/** Everything but what keepalived is just being told, and additions for which it may still be checking the member. */
function oursToDo(
  { seen, wants, missing, now }: DecideInputs,
  tell: ReadonlyMap<string, Told>,
  services: ReadonlyMap<string, TableService>,
) {
  const about = memberOf(seen.entries);
  return (change: Change): boolean => {
    const member = about(change);
    if (member === undefined) return true;
    if (tell.has(memberIn(member.entry, member.node))) return false;
    if (change.what !== 'add') return true;
    const want = wantOf(member.entry, member.node, wants);
    // Nobody may have asked a UDP service: then the member is believed.
    const isWell = want?.probe === 'up' || (change.key.startsWith('udp ') && want?.probe !== 'down');
    if (want?.state !== 'up' || !isWell) return false;
    return (
      !services.has(change.key) || now - (missing.get(`${change.key} ${change.place}`) ?? now) >= GRACE_MS
    );
  };
}
