/** Fingerprints as people compare them: the first half of a SHA-256 in groups, the same on both ends. */

const DIGITS = 32;

/** Half of it is far more than anybody can forge a second key for, and short enough to be compared by eye. */
export const readable = (sha256: string): string =>
  sha256.slice(0, DIGITS).match(/.{4}/g)?.join('-') ?? sha256;

/** Whether what a person has typed or copied, in groups or not, half or whole, is this one. */
export function isFingerprintOf(given: string, sha256: string): boolean {
  const plain = given.toLowerCase().replace(/[\s:-]/g, '');
  return plain === sha256 || plain === sha256.slice(0, DIGITS);
}
