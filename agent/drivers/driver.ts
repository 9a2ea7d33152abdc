/** What a service driver is: it reads what is, plans by values alone what to do, and does it. */
import type { ResolvedDirectory, ResolvedService } from '../../common/render/resolved.ts';

/** What is to become of a service: serve its present files, serve by a new command line, or serve no more. */
export type Wish = 'running' | 'reloaded' | 'restarted' | 'stopped';

export type Act = 'start' | 'reload' | 'stop';

export interface ServiceState {
  /** The daemon; null when it does not run. */
  pid: number | null;
}

export interface ServiceDriver {
  read(service: ResolvedService): ServiceState;
  /** Pure. */
  plan(state: ServiceState, wish: Wish): Act[];
  /** @throws EvenkeelError service-failed, executable-refused, command-missing or command-timeout */
  apply(service: ResolvedService, acts: readonly Act[]): Promise<void>;
  /** Makes the folders that must be there before anything is checked or started. */
  prepare(directories: readonly ResolvedDirectory[]): Promise<void>;
}

/**
 * | the daemon | running | reloaded | restarted   | stopped |
 * |---|---|---|---|---|
 * | runs       |         | reload   | stop, start | stop    |
 * | does not   | start   | start    | start       | stop    |
 *
 * A daemon that does not run is stopped as well: its workers may have outlived it.
 */
export function planService({ pid }: ServiceState, wish: Wish): Act[] {
  if (wish === 'stopped') return ['stop'];
  if (pid === null) return ['start'];
  if (wish === 'running') return [];
  return wish === 'reloaded' ? ['reload'] : ['stop', 'start'];
}
