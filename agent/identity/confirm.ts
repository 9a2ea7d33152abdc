/** Trust on the box: both fingerprints are shown, and a person compares them before anything is sent. */
import { createInterface } from 'node:readline/promises';
import { readable } from '../../common/fingerprint.ts';
import { EvenkeelError } from '../../protocol/errors.ts';

export interface Shown {
  name: string;
  manager: { at: string; fingerprint: string };
  /** SHA-256 of the public key of this box. */
  key: string;
}

export interface Terminal {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream;
}

/** @throws EvenkeelError not-confirmed */
export async function confirm(shown: Shown, yes: boolean, { input, output }: Terminal): Promise<void> {
  const { manager, name, key } = shown;
  const lines = [
    [`the manager at ${manager.at}`, readable(manager.fingerprint)],
    [`this box, as ${name}`, readable(key)],
  ];
  const width = Math.max(...lines.map(([what = '']) => what.length));
  for (const [what = '', fingerprint] of lines) output.write(`${what.padEnd(width)}  ${fingerprint}\n`);
  if (yes) return;
  if (!input.isTTY)
    throw new EvenkeelError(
      'not-confirmed',
      'there is no terminal to ask at: compare the fingerprint of the manager, then give --yes',
    );
  const question = createInterface({ input, output });
  try {
    const answer = await question.question('Is this what the manager shows? [y/N] ');
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    question.close();
  }
  throw new EvenkeelError('not-confirmed', 'nothing was sent and nothing has changed');
}
