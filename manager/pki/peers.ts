/** Who may speak to the manager: certificates of nodes that have joined and were not removed, with the key they joined with. */
import type { X509Certificate } from 'node:crypto';
import { type Bearer, bearerOf } from '../../common/certificates.ts';
import type { Clock } from '../../common/clock.ts';
import { isWithin } from '../../common/networks.ts';
import { wasRemoved } from '../../common/removal.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Peer } from '../../protocol/topics.ts';

/** What the store knows of a node that has joined. */
export interface PeerRecord {
  roles: readonly string[];
  /** SHA-256 of the public key it joined with; a node without one cannot connect. */
  keyFingerprint: string | undefined;
}

export interface Peers {
  /**
   * Judges the certificate of a connection; TLS has already checked who signed it.
   * @param from the address that shows it
   * @param as the name that it goes by beside its certificate, where it has one
   * @throws EvenkeelError forbidden, identity-changed, node-removed
   */
  admit(certificate: X509Certificate | undefined, from?: string, as?: string): Peer;
  /** The node as it is now, or null when it was removed since. */
  current(node: string): Peer | null;
}

export interface PeersOptions {
  /** Called for every message, so it must be quick. Null: unknown or removed. */
  lookup: (node: string) => PeerRecord | null;
  /** Whether a node that is unknown now was a member once, with this key. */
  removed: (node: string, key: string) => boolean;
  /** Hears of every refusal of a node, with the coded reason. */
  refused: (node: string, reason: EvenkeelError, from?: string) => void;
  /** The network from which nodes may speak; undefined is any. */
  network?: () => string | undefined;
  clock: Clock;
}

/** Judges by what the store says at this moment, so that a removed node is denied at once. */
export function createPeers({ lookup, removed, refused, network, clock }: PeersOptions): Peers {
  /** What a certificate says never changes; what the store says of it does. */
  const bearers = new WeakMap<X509Certificate, Bearer>();
  const readOnce = (certificate: X509Certificate): Bearer => {
    const bearer = bearers.get(certificate) ?? bearerOf(certificate);
    bearers.set(certificate, bearer);
    return bearer;
  };
  const judge = (certificate: X509Certificate, from?: string, as?: string): Peer => {
    const { node, key, ends } = readOnce(certificate);
    const record = lookup(node);
    const turnAway = (reason: EvenkeelError): never => {
      refused(node, reason, from);
      throw reason;
    };
    const refuse = (code: 'forbidden' | 'identity-changed', detail: string): never =>
      turnAway(new EvenkeelError(code, detail));
    const only = network?.();
    if (only !== undefined && (from === undefined || !isWithin(only, from)))
      return refuse('forbidden', `node ${node} speaks from ${from}, outside the cluster network ${only}`);
    if (!record && removed(node, key)) return turnAway(wasRemoved(node));
    if (!record) return refuse('forbidden', `node ${node} is unknown here`);
    if (record.keyFingerprint !== key)
      return refuse(
        'identity-changed',
        `node ${node} shows the key ${key}, it joined with ${record.keyFingerprint ?? 'none'}`,
      );
    if (as !== undefined && as !== node)
      return refuse('forbidden', `the certificate is of node ${node}, the client id is another`);
    if (ends <= clock.now()) return refuse('forbidden', `the certificate of node ${node} has expired`);
    return { node, roles: record.roles };
  };
  return {
    admit: (certificate, from, as) => {
      if (certificate) return judge(certificate, from, as);
      throw new EvenkeelError('forbidden', 'there is no client certificate');
    },
    current: (node) => {
      const record = lookup(node);
      return record && { node, roles: record.roles };
    },
  };
}
