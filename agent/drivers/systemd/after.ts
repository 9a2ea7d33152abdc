/** The direct driver on a box whose daemons systemd has started before: they go on, and systemd ends its own. */
import type { Clock } from '../../../common/clock.ts';
import { isAnyOfUnit, isOfUnit, pidIn } from '../../../common/processes.ts';
import type { ResolvedService } from '../../../common/render/resolved.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import type { ServiceDriver } from '../driver.ts';
import { createSystemctl } from './systemctl.ts';
import { pidFileIn, unitOf } from './unit.ts';
import { createUnits } from './units.ts';

/**
 * When a daemon ends of which systemd knows, it runs the command of its unit that stops it, and deletes its pid file: by
 * then those are the next one's. So nothing is started or stopped while a unit of it is left.
 */
export function afterSystemd(direct: ServiceDriver, clock: Clock): ServiceDriver {
  const systemctl = createSystemctl(clock);
  const units = createUnits(systemctl);
  const isHeld = async (service: ResolvedService): Promise<boolean> => {
    const text = await units.textOf(service);
    if (text !== null) return pidFileIn(text) === service.pidFile;
    const pid = pidIn(service.pidFile);
    return pid !== null && isOfUnit(pid, unitOf(service));
  };
  const takesBack = async (service: ResolvedService): Promise<boolean> => {
    if (!(await isHeld(service))) return false;
    await units.end(service);
    if (isAnyOfUnit(unitOf(service)))
      throw new EvenkeelError('service-failed', `${service.name} did not stop, not even killed`);
    await units.remove(service);
    return true;
  };
  return {
    ...direct,
    apply: async (service, acts) => {
      // What runs as it is wanted, or only reads its files again, goes on under systemd.
      const isTouched = acts.some((act) => act !== 'reload');
      const isTakenBack = isTouched && (await takesBack(service));
      await direct.apply(service, acts);
      // Last: it takes its time, and nobody serves meanwhile.
      if (isTakenBack) await systemctl.readUnits();
    },
  };
}
