/** What joining keeps and asks of others: invitations, the store, the keys, and who is told. */
import type { Clock } from '../../common/clock.ts';
import type { Invite } from '../../common/invite.ts';
import type { Log } from '../../common/log.ts';
import type { EvenkeelError } from '../../protocol/errors.ts';
import type { Facts } from '../../protocol/messages.ts';
import type { Verdict } from '../../protocol/preflight.ts';
import type { ResourceOf } from '../../protocol/resource.ts';
import type { NodeSpec } from '../../protocol/resources/node.ts';
import type { EventLine } from '../../protocol/views.ts';

interface StoredNode {
  revision: number;
  spec: NodeSpec;
}

export interface JoinStore {
  invites: {
    add(invite: Invite): Promise<void>;
    /** Undefined when it is unknown or expired. */
    get(id: string): Invite | undefined;
    list(): Invite[];
  };
  certificates: {
    add(record: Omit<Issued, 'certificate' | 'ca'> & { node: string }): Promise<void>;
    revoke(node: string): Promise<number>;
  };
  view(): {
    Cluster: { get(name: string): { spec: { approveJoins?: boolean } } | undefined };
    Node: { get(name: string): StoredNode | undefined; values(): Iterable<StoredNode & { name: string }> };
  };
  /** What `write` would say, without writing. @throws EvenkeelError with every problem */
  judge(request: Pick<Write, 'actor' | 'edits'>): Promise<unknown>;
  /** Writes or deletes the Node and changes the invitation, both or neither. @throws EvenkeelError what the change throws, stale-revision */
  write(request: Write): Promise<unknown>;
}

export interface Write {
  actor: string;
  edits: (
    | { op: 'put'; resource: ResourceOf<'Node'>; where: string; ifMatch: number }
    | { op: 'delete'; kind: 'Node'; name: string; where: string }
  )[];
  invite?: { id: string; change(now: Invite): Invite };
}

/** A certificate as the authority gives it out. */
export interface Issued {
  certificate: string;
  ca: string;
  serial: string;
  key: string;
  issued: string;
  expires: string;
}

/** A box as it is judged: under the name and with the roles that it will have. */
export type Subject = Pick<Invite, 'roles' | 'parameters'> & { name: string; facts: Facts };

export interface JoinOptions {
  store: JoinStore;
  pki: {
    authority(): string;
    fingerprint(): string;
    bundle(): string;
    signingKey: string;
    /** SHA-256 of the public key of a request, once it is judged. @throws EvenkeelError csr-invalid */
    keyIn(node: string, csr: string): Promise<string>;
    issueNode(node: string, csr: string, known?: string): Promise<Issued>;
    vouchesFor(certificate: string): boolean;
  };
  /** The id of the cluster, and where nodes find the manager. */
  cluster: string;
  address: string;
  ports: { api: number; machines: number; broker: number };
  /** Hears of every refusal of trust: of which node, as far as it has shown that, why, and to which address. */
  refused: (node: string | undefined, reason: EvenkeelError, from?: string) => void;
  emit: (happening: Omit<EventLine, 'id' | 'at'>) => void;
  /** The address from which a node that is heard now speaks; undefined while it is not heard. */
  alive: (node: string) => string | undefined;
  /** Whether a node that is unknown now was a member once, with this key. */
  removed: (node: string, key: string) => boolean;
  /** Ends the connection of a node whose key is not trusted any more. */
  cut: (node: string) => Promise<void>;
  preflight: {
    /** @throws EvenkeelError preflight-failed for a box that does not fit */
    refuse(subject: Subject): void;
    verdict(subject: Subject, asks: { from: string; listens?: number | undefined }): Promise<Verdict>;
  };
  /** SHA-256 of install.sh as the manager serves it. */
  installer?: () => string | undefined;
  clock: Clock;
  log: Log;
}
