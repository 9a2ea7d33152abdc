/** An invitation: what joining makes of it and the store keeps. */
import type { Facts } from '../protocol/messages.ts';

/** An invitation as it is kept: the secret itself is nowhere. */
export interface Invite {
  id: string;
  /** SHA-256 of the secret. */
  hash: string;
  by: string;
  made: string;
  expires: string;
  roles: string[];
  name?: string | undefined;
  parameters: Record<string, unknown>;
  /** The range of addresses from which it may be used. */
  from?: string | undefined;
  /** An operator accepts the box before it joins. */
  approve: boolean;
  /** The box that has it: no other key is answered. */
  claim?: Claim | undefined;
  revoked?: { by: string; at: string; refused: boolean } | undefined;
}

/** What a box does with its invitation. */
export interface Claim {
  node: string;
  key: string;
  from: string;
  at: string;
  /** Joined, or what it waits for. */
  state: 'joined' | 'approval' | 'identity';
  facts: Facts;
}
