/** Colour, where a person looks on: never in a pipe or a file, never where NO_COLOR is set. */

export type Tone = 'good' | 'warn' | 'bad' | 'dim' | 'bold';
export type Paint = (tone: Tone | undefined, text: string) => string;

const codes: Record<Tone, [on: number, off: number]> = {
  good: [32, 39],
  warn: [33, 39],
  bad: [31, 39],
  dim: [2, 22],
  bold: [1, 22],
};

const plain: Paint = (_, text) => text;
const coloured: Paint = (tone, text) => {
  if (tone === undefined || text === '') return text;
  const [on, off] = codes[tone];
  return `\u001b[${on}m${text}\u001b[${off}m`;
};

export const paintFor = ({ isTTY }: { isTTY?: boolean }): Paint =>
  isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb' ? coloured : plain;
