/** Departure: what would become of this box if it left, and the step over the threshold. */
import { type Clock, moment } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Leaving, Left } from '../../protocol/local.ts';
import { askStanding, askToLeave } from '../identity/standing.ts';
import type { Identity } from '../identity.ts';
import type { Desired } from '../state/desired.ts';
import { createMembership, type Membership } from './membership.ts';

export interface DepartureOptions {
  identity: Identity;
  /** Of this process, as it is shown to the manager. */
  run: string;
  desired: Pick<Desired, 'list'>;
  /** Stops the agent of the member and starts that of a box of its own. */
  leave: (left: Left) => void;
  /** Nothing may be changed on this box now. */
  held: () => boolean;
  clock: Clock;
  log: Log;
}

export interface Departure extends Membership {
  preview(units: readonly string[]): Leaving;
  /** @param alone the manager is not told. @throws EvenkeelError what the manager refuses; then nothing has changed */
  leave(alone: boolean): Promise<Left>;
}

export function createDeparture({
  identity,
  run,
  desired,
  leave,
  held,
  clock,
  log,
}: DepartureOptions): Departure {
  const { node, cluster, address, ports } = identity;
  /** A policy that asks something of the kernel does so for the cluster: its addresses, balancing, exports and mounts. */
  const goes = () =>
    desired
      .list('Policy')
      .filter(({ spec }) => spec.kernel !== undefined)
      .map(({ name }) => name)
      .sort();
  const go = (why: Left['why']): Left => {
    const manager = { address, port: ports.api };
    const left = { node, cluster, manager, why, since: moment(clock), goes: goes(), done: false };
    leave(left);
    return left;
  };
  const membership = createMembership({
    // A certificate that has ended opens no door; for a node that was removed, renewal says so.
    ask: () => (identity.expires().getTime() > clock.now() ? askStanding(identity) : identity.renewIfDue()),
    gone: () => go('removed'),
    ...{ held, clock, log },
  });
  return {
    ...membership,
    preview: (units) => {
      const gone = new Set(goes());
      return { goes: units.filter((unit) => gone.has(unit)), stays: units.filter((unit) => !gone.has(unit)) };
    },
    leave: async (alone) => {
      if (!alone) await askToLeave(identity, run);
      return go('asked');
    },
  };
}
