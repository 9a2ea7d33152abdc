/** Where a setup stands that was not finished: what it has declared counts only where it still stands so. Pure. */
import { canonical, keyOf } from '../../protocol/resource.ts';
import { type Answers, type PlannedNode, type Question, questionNames } from './answers.ts';
import { differingFields } from './declared.ts';
import { answersIn, documentsOf, type Known, plannedOf, specIn } from './documents.ts';
import type { Kept } from './kept.ts';

export interface Stand {
  answers: Partial<Answers>;
  /** Answers that others have declared otherwise since, or deleted. */
  others: Other[];
}

export interface Other {
  question: Question;
  kind: string;
  name: string;
}

/** The answers as they were declared, with what others have declared since in place of them. */
export function standingOf(declared: Partial<Answers>, known: Known): Stand {
  const others = othersIn(declared, known);
  const now = answersIn(known);
  const nodes = (declared.nodes ?? []).flatMap((node) => nodeNow(node, others, known));
  const answers: Partial<Answers> = { ...declared, nodes };
  for (const { question } of others)
    if (question !== 'nodes') Object.assign(answers, { [question]: now[question] });
  return { answers: said(answers), others };
}

/** What is proposed: what stands of what a setup has declared, and what is declared otherwise. */
export const proposedIn = (declared: Partial<Answers> | undefined, known: Known): Partial<Answers> => ({
  ...answersIn(known),
  ...standingOf(declared ?? {}, known).answers,
});

/** Of answers only what is not as it was proposed is a new word; the rest was looked at. */
export function newWords(
  answers: Partial<Answers>,
  proposed: Partial<Answers>,
): Pick<Kept, 'answers' | 'looked' | 'proposed'> {
  const isNew = (question: Question) =>
    canonical(answers[question] ?? null) !== canonical(proposed[question] ?? null);
  const said = questionNames.filter((question) => answers[question] !== undefined);
  const { nodes } = proposed;
  return {
    answers: Object.fromEntries(said.filter(isNew).map((question) => [question, answers[question]])),
    looked: said.filter((question) => !isNew(question)),
    proposed: nodes === undefined ? {} : { nodes },
  };
}

/** The new words as they are now: where a node was left as it was proposed, what is declared of it by now counts. */
export function answeredIn(
  { answers, looked = [], proposed = {} }: Kept,
  now: Partial<Answers>,
): Partial<Answers> {
  const [was, is] = [byName(proposed.nodes), byName(now.nodes)];
  const isLeft = (node: PlannedNode) => canonical(was.get(node.name) ?? null) === canonical(node);
  const nodes = answers.nodes?.flatMap((node) => (isLeft(node) ? (is.get(node.name) ?? []) : [node]));
  const seen = Object.fromEntries(looked.map((question) => [question, now[question]]));
  return said({ ...seen, ...answers, ...(nodes === undefined ? {} : { nodes }) });
}

const byName = (nodes: PlannedNode[] = []) => new Map(nodes.map((node) => [node.name, node]));

const said = (answers: Partial<Answers>): Partial<Answers> =>
  Object.fromEntries(
    Object.entries(answers).filter(
      ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
    ),
  );

function nodeNow(node: PlannedNode, others: Other[], { nodes }: Known): PlannedNode[] {
  if (!others.some(({ kind, name }) => kind === 'Node' && name === node.name)) return [node];
  return nodes.filter(({ name }) => name === node.name).map(plannedOf);
}

function othersIn(declared: Partial<Answers>, known: Known): Other[] {
  return documentsOf(declared, known).flatMap(({ document, answer }) => {
    const spec = specIn(known, document);
    const paths = spec === undefined ? ['spec'] : differingFields(document, spec);
    const questions = new Set(paths.map((path) => answer(path).split('/')[0] as Question));
    return [...questions].map((question) => ({ question, kind: document.kind, name: document.name }));
  });
}

/** Those that nobody has said anew, for people. */
export const othersText = (others: Other[], { nodes = [], ...anew }: Partial<Answers>): string[] =>
  others
    .filter(({ question, name }) =>
      question === 'nodes' ? !nodes.some((node) => node.name === name) : !(question in anew),
    )
    .map((other) => `${other.question} (${keyOf(other)})`);
