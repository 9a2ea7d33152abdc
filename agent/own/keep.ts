/** Keeping: the daemons of a box that has left are started at boot and when they die, on the files that lie there. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { LocalService } from '../../protocol/local.ts';
import { createDeaths } from '../converge/deaths.ts';
import { createRestarts } from '../converge/restarts.ts';
import type { ServiceDriver } from '../drivers/driver.ts';
import type { OwnUnit } from './leave.ts';

export interface Keeper {
  /** From now on the daemon of this unit is kept. */
  add(unit: OwnUnit): void;
  start(): () => Promise<void>;
  services(): LocalService[];
  /** @throws EvenkeelError not-found where there is no such daemon, or what the driver throws */
  restart(unit: string): Promise<void>;
}

export function createKeeper({
  driver,
  clock,
  log,
}: {
  driver: ServiceDriver;
  clock: Clock;
  log: Log;
}): Keeper {
  const kept = new Map<string, { unit: OwnUnit; restarts: ReturnType<typeof createRestarts> }>();
  /** One thing at a time for each unit. */
  const busy = new Map<string, Promise<void>>();

  const serviceOf = (name: string) => kept.get(name)?.unit.record.read().running ?? null;
  const inTurn = (name: string, work: () => Promise<void>): Promise<void> => {
    const turn = (busy.get(name) ?? Promise.resolve()).then(work);
    const settled = turn.catch(() => undefined);
    busy.set(name, settled);
    return turn;
  };
  const serve = (name: string, wish: 'running' | 'restarted') =>
    inTurn(name, async () => {
      const one = kept.get(name);
      const service = serviceOf(name);
      if (one === undefined || service === null) return;
      await driver.prepare(one.unit.record.read().folders ?? []);
      await driver.apply(service, driver.plan(driver.read(service), wish));
    });
  const revive = (name: string) => {
    const restarts = kept.get(name)?.restarts;
    if (restarts === undefined || restarts.wait() > 0) return;
    restarts.note();
    serve(name, 'running').catch((err: unknown) =>
      log.error({ unit: name, err: messageOf(err) }, 'the daemon could not be started'),
    );
  };
  const deaths = createDeaths({
    pidOf: (service) => driver.read(service).pid,
    died: (name) => log.warn({ unit: name }, 'the daemon is gone'),
    gone: revive,
    clock,
  });
  return {
    add: (unit) => {
      kept.set(unit.name, { unit, restarts: createRestarts(clock) });
      deaths.watch(unit.name, serviceOf(unit.name));
    },
    start: () => {
      const stop = deaths.start();
      return async () => {
        stop();
        await Promise.all(busy.values());
      };
    },
    services: () =>
      [...kept.keys()].flatMap((unit) => {
        const service = serviceOf(unit);
        return service === null ? [] : [{ unit, service: service.name, pid: driver.read(service).pid }];
      }),
    restart: async (name) => {
      if (serviceOf(name) === null)
        throw new EvenkeelError('not-found', `there is no daemon of a unit ${name} on this box`);
      await serve(name, 'restarted');
    },
  };
}
