/** The protocol's version: one rising integer that manager and agent show each other, with its history. */

/**
 * History, newest first; one line for each change of meaning on a wire:
 * - 1 (2026-11-21): first protocol: signed heads, deltas and snapshots, beats, reports, pool states with leases.
 */
export const PROTOCOL = 1;

/** The oldest agent protocol that this manager still serves. */
export const PROTOCOL_OLDEST = 1;
