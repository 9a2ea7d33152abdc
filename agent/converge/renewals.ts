/** What somebody wants of a daemon: it is for the next pass of its unit, and until then it can be taken back. */
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Renewal, Unit } from './pass.ts';

export interface Renewals {
  /** Ends the daemon of a unit and starts it on what it serves. @throws EvenkeelError not-found where there is none */
  restart(unit: string): Promise<void>;
  /**
   * The same, or has it told to load what it serves; resolves when that is done. What no pass has begun when the signal
   * says so is taken back.
   * @throws EvenkeelError not-found, what the driver says, or the signal's reason
   */
  renew(unit: string, wish: Renewal['wish'], signal?: AbortSignal): Promise<void>;
}

/** Its policy is gone: no pass of it comes any more. */
export function refuseAll({ name, renewals }: Pick<Unit, 'name' | 'renewals'>): void {
  for (const { failed } of renewals.splice(0))
    failed(
      new EvenkeelError('not-found', `the unit ${name} is to be removed from this box: its policy is gone`),
    );
}

const unheard = { done: () => undefined, failed: () => undefined };

export function createRenewals(
  unitOf: (name: string) => Unit | undefined,
  put: (name: string) => void,
): Renewals {
  /** @returns takes it back; whether that was possible */
  const ask = (name: string, renewal: Renewal): (() => boolean) => {
    const unit = unitOf(name);
    if (!unit?.record.read().running)
      throw new EvenkeelError('not-found', `there is no daemon of a unit ${name} on this box`);
    unit.renewals.push(renewal);
    put(name);
    return () => {
      const at = unit.renewals.indexOf(renewal);
      if (at >= 0) unit.renewals.splice(at, 1);
      return at >= 0;
    };
  };
  return {
    restart: async (name) => void ask(name, { wish: 'restarted', ...unheard }),
    renew: (name, wish, signal) =>
      new Promise((done, failed) => {
        signal?.throwIfAborted();
        const takeBack = ask(name, { wish, done, failed });
        const stop = () => void (takeBack() && failed(signal?.reason));
        signal?.addEventListener('abort', stop, { once: true });
      }),
  };
}
