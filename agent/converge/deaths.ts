/**
 * Deaths: whether the daemons of units live, seen ten times a second. A signal that does nothing tells it in a
 * microsecond; what proves that it is still the same process reads three files, and is asked now and then.
 */
import type { Clock } from '../../common/clock.ts';
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
  /** Whether a process is there; a zombie is. */
  isThere?: (pid: number) => boolean;
  clock: Clock;
}

const LOOK_MS = 100;
/** A zombie, or another process with its number, is noticed so much later. */
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

function hasProcess(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (err) {
    // It is there, and another user's.
    return (err as NodeJS.ErrnoException).code === 'EPERM';
  }
}
