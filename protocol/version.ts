/** The protocol's version: one rising integer that manager and agent show each other, with its history. */

/**
 * History, newest first; one line for each change of meaning on a wire:
 * - 1 (2026-11-21): first protocol: signed heads, deltas and snapshots, beats, reports, pool states with leases. Since
 *   2026-11-22 with the queue (its doorbell, pull and output), which an agent that does not know it passes over.
 *
 * What each says at least stands in test/golden/wire; a field that is new there is optional, or the number rises.
 */
export const PROTOCOL = 1;

/** The oldest agent protocol that this manager still serves. */
export const PROTOCOL_OLDEST = 1;
