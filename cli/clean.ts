/** Cleaning: what others wrote is shown, and cannot steer the terminal that shows it. Colours stay. */

const ESCAPE = '\u001b';

/** Control characters but line end and tab, marks that end lines, and format characters: unseen, they hide text or turn its direction. */
const steering = /(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/gu;
const colour = /^\[[0-9;]{0,20}m/;

/** @returns the text with each of them replaced by the sign for what cannot be shown */
export const clean = (text: string): string =>
  text.replace(steering, (character, at: number) =>
    character === ESCAPE && colour.test(text.slice(at + 1, at + 24)) ? character : '\ufffd',
  );
