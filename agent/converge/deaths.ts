/**
 * Deaths: whether the daemons of units live, seen ten times a second by one small file of /proc each: a zombie is dead,
 * however late its parent takes notice. What proves that it is still the same process is asked now and then.
 */
import type { Clock } from '../../common/clock.ts';
import { processOf } from '../../common/processes.ts';
import type { ResolvedService } from '../../common/render/resolved.ts';

export interface Deaths {
  /** Who is to live for a unit from now on; null when it has no service. */
  watch(unit: string, service: ResolvedService | null): void;
  start(): () => void;
}

export interface DeathsOptions {
  /** The daemon of a service, with all proof; null when it does not run. */
  pidOf: (service: ResolvedService) => number | null;
  /** Called once when a daemon that lived is gone. */
  died: (unit: string) => void;
  /** Called again and again while one is gone. */
  gone: (unit: string) => void;
  /** Whether a process is there, whoever it is; a zombie is not. */
  isThere?: (pid: number) => boolean;
  clock: Clock;
}

const LOOK_MS = 100;
/** Another process with its number is noticed so much later. */
const PROVE_EVERY = 5;

interface Watched {
  service: ResolvedService;
  pid: number | null;
}

export function createDeaths({ pidOf, died, gone, isThere = hasProcess, clock }: DeathsOptions): Deaths {
  const all = new Map<string, Watched>();
  let looks = 0;
  const look = () => {
    looks += 1;
    const proves = looks % PROVE_EVERY === 0;
    for (const [unit, watched] of all) {
      if (!proves && (watched.pid === null || isThere(watched.pid))) continue;
      const lived = watched.pid !== null;
      watched.pid = pidOf(watched.service);
      if (watched.pid !== null) continue;
      if (lived) died(unit);
      if (lived || proves) gone(unit);
    }
  };
  return {
    watch: (unit, service) => {
      if (service === null) all.delete(unit);
      else all.set(unit, { service, pid: pidOf(service) ?? all.get(unit)?.pid ?? null });
    },
    start: () => clock.every(LOOK_MS, look),
  };
}

const hasProcess = (pid: number): boolean => processOf(pid) !== null;
