/** Changes that span scopes: what landed waits a moment for the other scopes of the same change, which are pulled when they stay away. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Head, ScopeName } from '../../protocol/messages.ts';

export interface Together {
  /** Resources that changed, with the revisions that all scopes of the change have reached. A scope that is here for the first time is news, even an empty one. */
  landed(keys: string[], touches: Head['touches'], isFirst: boolean): void;
  /** Whether the scope stayed away and should be asked for. */
  missing(scope: ScopeName): boolean;
  stop(): void;
}

export interface TogetherOptions {
  stand: (scope: ScopeName) => { rev: number } | null;
  follows: (scope: ScopeName) => boolean;
  /** Has the scope looked at again. */
  ask: (scope: ScopeName) => void;
  applied: (keys: string[]) => void;
  clock: Clock;
  log: Log;
}

/** How long the other scopes may take by themselves, and how long altogether: a late scope must not stop the rest. */
const PATIENCE_MS = 1_000;
const DEADLINE_MS = 5_000;

export function createTogether({ stand, follows, ask, applied, clock, log }: TogetherOptions): Together {
  const keys = new Set<string>();
  const wanted = new Map<ScopeName, number>();
  const overdue = new Set<ScopeName>();
  let undo: (() => void)[] = [];
  let hasNews = false;

  const missing = () =>
    [...wanted]
      .filter(([scope, rev]) => follows(scope) && (stand(scope)?.rev ?? -1) < rev)
      .map(([scope]) => scope);
  const finish = () => {
    for (const cancel of undo) cancel();
    undo = [];
    const changed = [...keys];
    keys.clear();
    wanted.clear();
    overdue.clear();
    const isNews = hasNews;
    hasNews = false;
    if (isNews) applied(changed);
  };
  const wait = () => {
    if (undo.length > 0) return;
    const pull = () => {
      for (const scope of missing()) {
        overdue.add(scope);
        ask(scope);
      }
    };
    const giveUp = () => {
      log.warn({ scopes: missing() }, 'scopes of one change did not come together');
      finish();
    };
    undo = [clock.after(PATIENCE_MS, pull), clock.after(DEADLINE_MS, giveUp)];
  };
  return {
    landed: (changed, touches, isFirst) => {
      hasNews ||= isFirst || changed.length > 0;
      for (const key of changed) keys.add(key);
      for (const [scope, rev] of Object.entries(touches))
        wanted.set(scope, Math.max(rev, wanted.get(scope) ?? 0));
      if (missing().length === 0) finish();
      else wait();
    },
    missing: (scope) => overdue.has(scope) && missing().includes(scope),
    stop: () => {
      for (const cancel of undo) cancel();
    },
  };
}
