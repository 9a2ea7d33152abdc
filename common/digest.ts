/** Digests: of bytes, of a resource, and of a whole scope as a sum that one change moves in constant time. */
import { createHash } from 'node:crypto';

const MODULUS = 1n << 256n;

export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** What one resource adds to the digest of its scopes. */
const term = (kind: string, name: string, digest: string): bigint =>
  BigInt(`0x${sha256(`${kind}/${name}/${digest}`)}`);

/** The digest of a scope: a sum modulo 2^256. It finds errors; authenticity comes from signatures. */
export interface ScopeSum {
  add(kind: string, name: string, digest: string): void;
  remove(kind: string, name: string, digest: string): void;
  /** 64 hexadecimal digits. */
  hex(): string;
}

/** @param start the hexadecimal digest to go on from; the empty scope is all zeros */
export function createScopeSum(start = '0'): ScopeSum {
  let sum = BigInt(`0x${start}`);
  return {
    add: (kind, name, digest) => {
      sum = (sum + term(kind, name, digest)) % MODULUS;
    },
    remove: (kind, name, digest) => {
      sum = (sum - term(kind, name, digest) + MODULUS) % MODULUS;
    },
    hex: () => sum.toString(16).padStart(64, '0'),
  };
}

/** The digest of the empty scope. */
export const EMPTY_DIGEST = '0'.repeat(64);
