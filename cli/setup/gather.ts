/** Where the answers come from: what is said now, then what was answered before, then what is declared; and who is asked. */
import { moment, systemClock } from '../../common/clock.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Client } from '../client.ts';
import { Ended } from '../failure.ts';
import { clockTime } from '../time.ts';
import { type Answers, type Given, isComplete, isGiven, missingIn, over, questionNames } from './answers.ts';
import { type Asker, isYesTo, terminalAsker } from './asker.ts';
import { askAll, standOf } from './dialogue.ts';
import { documentsOf, type Planned } from './documents.ts';
import { isOpen, type Keeper, type Kept, newlyKept } from './kept.ts';
import { placeOf, planOf, type World } from './plan.ts';
import { answeredIn, newWords, othersText, proposedIn, standingOf } from './stand.ts';

export interface Gathering {
  client: Client;
  world: World;
  keeper: Keeper;
  /** By file and flags. */
  given: Given;
  isTerminal: boolean;
  force: boolean;
  /** Nothing is kept. */
  dryRun: boolean;
  note(line: string): void;
}

/** What a setup begins with. */
interface Start {
  kept: Kept;
  /** An earlier one that can be gone on with. */
  open: Kept | undefined;
  /** What is declared. */
  proposed: Partial<Answers>;
  /** What was answered before, and is not declared otherwise since. */
  stand: Partial<Answers>;
  /** All there is. */
  all: Partial<Answers>;
}

/** @throws EvenkeelError with the answers that are missing where nobody can be asked */
export async function gather(gathering: Gathering): Promise<Answers> {
  const { given, isTerminal, dryRun } = gathering;
  const start = startOf(gathering);
  const { all } = start;
  const isSaid = questionNames.some((question) => isGiven(given, question));
  if (isComplete(all) && (!isTerminal || isSaid)) return all;
  if (!isTerminal)
    throw new EvenkeelError('unanswered', 'some questions are not answered', { problems: missingIn(all) });
  const asker = terminalAsker(() => {
    const said = dryRun
      ? 'nothing is kept of a dry run'
      : 'what was answered is kept: run `evenkeel setup` again to go on';
    process.stderr.write(`\n${said}\n`);
    process.exit(130);
  });
  try {
    return await byAsking(gathering, asker, start);
  } finally {
    asker.close();
  }
}

function startOf({ world, keeper, given, note }: Gathering): Start {
  const kept = keeper.read() ?? newlyKept();
  const proposed = proposedIn(kept.declared, world);
  if (keeper.read() === undefined || !isOpen(kept))
    return { kept, open: undefined, proposed, stand: {}, all: over(proposed, given) };
  const { answers: declared, others } = standingOf(kept.declared ?? {}, world);
  const theirs = othersText(others, over(kept.answers, given));
  if (theirs.length > 0) note(`others have declared otherwise since, and that counts: ${theirs.join(', ')}`);
  const stand = { ...declared, ...answeredIn(kept, proposed) };
  return { kept, open: kept, proposed, stand, all: over({ ...proposed, ...stand }, given) };
}

async function byAsking(
  { client, world, keeper, given, force }: Gathering,
  asker: Asker,
  start: Start,
): Promise<Answers> {
  const answered = await answeredBefore(asker, start, given);
  if (isComplete(answered)) return answered;
  const began = start.open?.began ?? moment(systemClock);
  const answers = await askAll({
    ...{ asker, roles: world.roles, answered, proposed: start.all, ...createJudge(client, world, force) },
    keep: (so) => keeper.write({ ...start.kept, began, ...newWords(so, start.proposed) }),
  });
  if (isComplete(answers)) return answers;
  throw new Ended('internal');
}

/** What need not be asked again, if whoever sits there says so. */
async function answeredBefore(
  asker: Asker,
  { open, stand, all }: Start,
  given: Given,
): Promise<Partial<Answers>> {
  const said = Object.fromEntries(
    questionNames.filter((question) => isGiven(given, question)).map((question) => [question, all[question]]),
  );
  if (open !== undefined) {
    const where = isComplete(stand) ? 'all is answered' : standOf(stand);
    const question = `a setup was begun at ${clockTime(open.began)}; go on where you stopped (${where})?`;
    return (await isYesTo(asker, question, true)) ? { ...stand, ...said } : said;
  }
  if (!isComplete(all)) return said;
  asker.say('this cluster is set up already');
  return (await isYesTo(asker, 'go through the questions again?', false)) ? said : all;
}

/** The manager says of each answer, together with those before it, whether it can be. */
function createJudge(client: Client, world: World, force: boolean) {
  let planned: Planned[] = [];
  return {
    judge: async (answers: Partial<Answers>) => {
      planned = documentsOf(answers, world);
      await planOf(client, planned, { force });
    },
    place: (path: string) => placeOf(planned)(path),
  };
}
