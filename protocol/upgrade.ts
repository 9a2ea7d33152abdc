/** Upgrades of nodes: which release is wanted, and what a box keeps until it is known how one ended. */
import { type Static, Type } from 'typebox';
import { Moment, ReleaseId, Sha256, Strict } from './values.ts';

/** Which release, and the SHA-256 of the bundle that the manager gives out; without it, one that the box has already. */
export const ReleaseWanted = Type.Object({
  id: ReleaseId,
  sum: Type.Optional(Sha256),
});
export type ReleaseWanted = Static<typeof ReleaseWanted>;

/** What a box keeps of an upgrade until it is known how it ended. */
export const UpgradeNote = Strict({ id: ReleaseId, since: Moment });
export type UpgradeNote = Static<typeof UpgradeNote>;
