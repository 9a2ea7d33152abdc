/** Questions at a terminal, a line each. `back` leads to the question before; the end of the input ends the setup. */
import { createInterface } from 'node:readline';
import { clean } from '../clean.ts';

export interface Asker {
  say(text: string): void;
  /** What was typed, or what is proposed where nothing was. @throws Back */
  ask(question: string, proposed?: string): Promise<string>;
  close(): void;
}

/** Somebody wants to answer the question before again. */
export class Back extends Error {}

/** Lines that are pasted at once are answers one after the other. */
export function terminalAsker(onEnd: () => never): Asker {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const typed: string[] = [];
  let wake: (() => void) | undefined;
  let closing = false;
  lines.on('line', (line) => {
    typed.push(line);
    wake?.();
  });
  lines.on('SIGINT', () => lines.close());
  lines.on('close', () => {
    if (!closing) onEnd();
  });
  const next = async (): Promise<string> => {
    while (typed.length === 0)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return (typed.shift() ?? '').trim();
  };
  return {
    say: (text) => void process.stderr.write(clean(`${text}\n`)),
    ask: async (question, proposed = '') => {
      lines.setPrompt(`${question}${proposed === '' ? '' : ` [${proposed}]`}: `);
      lines.prompt();
      const answer = await next();
      if (answer === 'back') throw new Back();
      return answer === '' ? proposed : answer;
    },
    close: () => {
      closing = true;
      lines.close();
    },
  };
}

export async function isYesTo(asker: Asker, question: string, proposed: boolean): Promise<boolean> {
  const answer = await asker.ask(`${question} ${proposed ? '[Y/n]' : '[y/N]'}`);
  return answer === '' ? proposed : /^y(es)?$/i.test(answer);
}

/** Asks until what was typed is one of the choices, or the beginning of just one. */
export async function choice<const C extends string>(
  asker: Asker,
  question: string,
  choices: Record<C, string>,
  proposed: NoInfer<C>,
): Promise<C> {
  const names = Object.keys(choices) as C[];
  const widest = Math.max(...names.map(({ length }) => length));
  for (const name of names) asker.say(`  ${name.padEnd(widest)}  ${choices[name]}`);
  for (;;) {
    const typed = await asker.ask(question, proposed);
    const exact = names.find((name) => name === typed);
    const [only, ...others] = names.filter((name) => name.toLowerCase().startsWith(typed.toLowerCase()));
    if (exact !== undefined) return exact;
    if (only !== undefined && others.length === 0) return only;
    asker.say(`  use one of ${names.join(', ')}`);
  }
}
