/** Missed heads: a node whose beats say again and again that it stands behind a head is told of that head again. */
import type { Beat, ScopeName } from '../../protocol/messages.ts';

interface Stand {
  scope: ScopeName;
  epoch: number;
  rev: number;
}

export interface MissedOptions {
  /** Where all scopes that a node follows stand, in the order in which beats list them: its own is the last. */
  headsOf: (node: string) => Stand[];
  /** Says the head of a scope again. */
  again: (scope: ScopeName) => void;
}

export interface Missed {
  beat(node: string, beat: Beat): void;
  forget(node: string): void;
}

/**
 * A head is sent once and without acknowledgement, so the beats are what proves that it arrived. One beat behind is a
 * node at work; a second one in the same place is a node that does not know.
 */
export function createMissed({ headsOf, again }: MissedOptions): Missed {
  const behind = new Map<string, Map<ScopeName, number>>();
  return {
    beat: (node, beat) => {
      const before = behind.get(node);
      const now = behindOf(headsOf(node), beat);
      if (now.size === 0) behind.delete(node);
      else behind.set(node, now);
      for (const [scope, rev] of now) if (before?.get(scope) === rev) again(scope);
    },
    forget: (node) => void behind.delete(node),
  };
}

/** The scopes that a node is behind in, and where it stands there. Until it knows its own roles, only its own scope counts. */
function behindOf(heads: Stand[], { e, r }: Beat): Map<ScopeName, number> {
  const late = ({ epoch, rev }: Stand, stands: number | undefined) => e < epoch || (stands ?? 0) < rev;
  const own = heads.at(-1);
  if (own && late(own, r.at(-1))) return new Map([[own.scope, r.at(-1) ?? 0]]);
  const scopes = heads.map((head, at) => ({ head, stands: r[at] }));
  return new Map(
    scopes
      .filter(({ head, stands }) => late(head, stands))
      .map(({ head, stands }) => [head.scope, stands ?? 0]),
  );
}
