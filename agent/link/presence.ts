/** What a node is to the broker: the scopes and topics that it follows by its roles, and what it says of where it stands. */
import type { Stand } from '../../common/delta.ts';
import type { Beat, ScopeName, Status } from '../../protocol/messages.ts';
import type { NodeSpec } from '../../protocol/resources/node.ts';
import { BALANCER_ROLE, scopesOf, TOPIC_ROOT, topicOf } from '../../protocol/topics.ts';
import { PROTOCOL } from '../../protocol/version.ts';

export interface PresenceOptions {
  node: string;
  /** Of the agent. */
  version: string;
  release?: string | undefined;
  desired: {
    stand(scope: ScopeName): Stand | null;
    /** The node's own resource says which roles it has. */
    get(kind: 'Node', name: string): { spec: NodeSpec } | undefined;
  };
}

export interface Presence {
  /** In the order in which beats list their revisions. */
  scopes(): ScopeName[];
  filters(): { filter: string; qos: 0 | 1 }[];
  status(session: string, state: Status['state']): Status;
  /** The next beat: each call counts on. */
  beat(session: string, ok: boolean): Beat;
}

export function createPresence({ node, version, release, desired }: PresenceOptions): Presence {
  let beats = 0;
  const roles = () => desired.get('Node', node)?.spec.roles ?? [];
  const scopes = () => scopesOf({ node, roles: roles() });
  const balancing = [
    { filter: `${TOPIC_ROOT}/pool/+`, qos: 1 as const },
    { filter: topicOf.lease(), qos: 0 as const },
  ];
  return {
    scopes,
    filters: () => [
      ...scopes().map((scope) => ({ filter: topicOf.head(scope), qos: 0 as const })),
      { filter: `${TOPIC_ROOT}/node/${node}/#`, qos: 1 as const },
      ...(roles().includes(BALANCER_ROLE) ? balancing : []),
    ],
    status: (session, state) => {
      const stands: Status['scopes'] = {};
      for (const scope of scopes()) {
        const stand = desired.stand(scope);
        if (stand) stands[scope] = { epoch: stand.epoch, rev: stand.rev, digest: stand.digest };
      }
      const own = release === undefined ? {} : { release };
      return { session, state, version, ...own, protocol: PROTOCOL, scopes: stands };
    },
    beat: (session, ok) => {
      const stands = scopes().map((scope) => desired.stand(scope));
      beats += 1;
      return {
        s: session,
        n: beats,
        e: Math.max(0, ...stands.map((stand) => stand?.epoch ?? 0)),
        r: stands.map((stand) => stand?.rev ?? 0),
        ok,
      };
    },
  };
}
