/** Ids that people copy, type and give to a command: lower-case letters and digits, the first a letter. */
import { randomBytes } from 'node:crypto';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const ALPHABET = `${LETTERS}234567`;

/** Nearly sixty bits: never the id of another, also in a manager that was restored. */
export const newId = (): string => {
  const [first = 0, ...rest] = randomBytes(12);
  return `${LETTERS[first % 26]}${rest.map((byte) => ALPHABET[byte % 32]).join('')}`;
};
