/** The dialogue of a setup: a question a step, each judged by the manager before the next, and kept. */
import { explain } from '../failure.ts';
import type { Answers } from './answers.ts';
import { type Asker, Back } from './asker.ts';
import { steps } from './steps.ts';

export interface DialogueOptions {
  asker: Asker;
  roles: string[];
  /** Answered already: by flags, or in a run before this one. */
  answered: Partial<Answers>;
  proposed: Partial<Answers>;
  /** @throws what the manager says against the answers so far */
  judge(answers: Partial<Answers>): Promise<void>;
  /** Where a problem lies, in the words of the answers. */
  place(path: string): string;
  keep(answers: Partial<Answers>): Promise<void>;
}

/** `step 4 of 7`: the first question that is still open. */
export const standOf = (answers: Partial<Answers>): string =>
  `step ${firstOpen(answers) + 1} of ${steps.length}`;

const firstOpen = (answers: Partial<Answers>): number => {
  const at = steps.findIndex(({ question }) => answers[question] === undefined);
  return at < 0 ? steps.length : at;
};

export async function askAll(options: DialogueOptions): Promise<Partial<Answers>> {
  const { asker, answered, keep } = options;
  let [so, proposed] = [answered, options.proposed];
  let at = firstOpen(so);
  asker.say('\nAn empty line takes what is in brackets; `back` asks the question before again.');
  while (at < steps.length) {
    const answer = await oneStep(at, so, proposed, options);
    if (answer === undefined) {
      at = Math.max(0, at - 1);
      continue;
    }
    // What was refused is proposed again, to be changed.
    proposed = { ...proposed, ...answer.said };
    if (!answer.isGood) continue;
    so = { ...so, ...answer.said };
    await keep(so);
    do at += 1;
    while (at < steps.length && options.answered[steps[at]?.question ?? 'address'] !== undefined);
  }
  return so;
}

/** @returns nothing where the question before is to be asked again */
async function oneStep(
  at: number,
  so: Partial<Answers>,
  proposed: Partial<Answers>,
  { asker, roles, judge, place }: DialogueOptions,
): Promise<{ said: Partial<Answers>; isGood: boolean } | undefined> {
  const step = steps[at];
  if (!step) return undefined;
  asker.say(`\n${at + 1} of ${steps.length}  ${step.title}\n${step.means}`);
  try {
    const value = await step.ask(asker, { proposed: { ...proposed, ...so }, roles });
    const said = { [step.question]: value } as Partial<Answers>;
    const refusal = await judge({ ...so, ...said }).then(
      () => undefined,
      (err: unknown) => explain(err, place),
    );
    for (const line of refusal ?? []) asker.say(line);
    return { said, isGood: refusal === undefined };
  } catch (err) {
    if (err instanceof Back) return undefined;
    throw err;
  }
}
