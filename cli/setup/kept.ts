/** What a setup keeps beside the CLI's configuration, so that it can be gone on with or undone. No secret is in it. */
import { existsSync, readFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { moment, systemClock } from '../../common/clock.ts';
import { makeFolder, writeFileAtomic } from '../../common/files.ts';
import { messageOf, type Problem } from '../../protocol/errors.ts';
import { problemsOf } from '../../protocol/resource.ts';
import { Moment, Name, OneOf, Strict } from '../../protocol/values.ts';
import { Rev } from '../../protocol/views.ts';
import { UsageError } from '../failure.ts';
import { type Answers, questionNames, readAnswers } from './answers.ts';
import type { Planned } from './documents.ts';

const Spec = Type.Unsafe<object>(Type.Object({}));

const DeedSchema = Strict({
  document: Strict({ kind: OneOf(['Cluster', 'Node', 'Storage', 'VirtualService']), name: Name, spec: Spec }),
  before: Type.Union([Spec, Type.Null()]),
  was: Rev,
  made: Type.Optional(Rev),
});

/** What was declared, and what stood there before: written down before it is declared. */
export interface Deed {
  document: Planned['document'];
  /** Null where there was nothing of the name. */
  before: object | null;
  /** The revision of that; 0 for nothing. */
  was: number;
  /** The revision that the document got; absent while nobody knows whether it is declared. */
  made?: number;
}

const Said = Type.Unsafe<Partial<Answers>>(Type.Object({}));

const KeptSchema = Strict({
  began: Moment,
  /** Answered otherwise than it was proposed, and not declared yet. */
  answers: Said,
  /** Questions that were left as they are declared: gone past, and nobody's new word. */
  looked: Type.Optional(Type.Array(OneOf(questionNames))),
  /** What was proposed where nodes are among the answers: one that was left so is nobody's new word either. */
  proposed: Type.Optional(Said),
  /** What was answered when it was declared last; until all of it is done, then the world counts alone. */
  declared: Type.Optional(Said),
  /** The way back, run by run: a later run adds to it, so that what others have said between is in it too. */
  deeds: Type.Array(Type.Unsafe<Deed>(DeedSchema)),
  /**
   * What is just being declared: its first deed, where the journal stood before, who declares it, and the answers.
   * Whoever finds it was killed meanwhile, and looks in the journal whether it is declared.
   */
  declaring: Type.Optional(Strict({ from: Rev, since: Rev, by: Type.String(), answers: Said })),
  /** The ids of the invitations that the setup has made. */
  invites: Type.Array(Type.String()),
  /** Who is just being invited, or was by a run that was killed: beside the known ones of that name one more may be its own. */
  inviting: Type.Optional(Type.Array(Strict({ name: Name, known: Type.Array(Type.String()) }))),
  /** When all that was declared was seen to be done. */
  finished: Type.Optional(Moment),
});
export type Kept = Static<typeof KeptSchema>;

const validator = Compile(KeptSchema);

export const newlyKept = (): Kept => ({ began: moment(systemClock), answers: {}, deeds: [], invites: [] });

/** Whether there is something to go on with. */
export const isOpen = ({ finished, answers, looked = [] }: Kept): boolean =>
  finished === undefined || Object.keys(answers).length + looked.length > 0;

/** As if nothing had been answered since it was declared. @returns nothing where there is nothing else to keep */
export function withoutAnswers(kept: Kept): Kept | undefined {
  const { answers: _, looked: __, proposed: ___, ...rest } = kept;
  const isEmpty = rest.deeds.length + rest.invites.length === 0 && rest.declared === undefined;
  return isEmpty && rest.inviting === undefined && rest.finished === undefined
    ? undefined
    : { ...rest, answers: {} };
}

export interface Keeper {
  file: string;
  /** @throws UsageError where the file cannot be understood */
  read(): Kept | undefined;
  write(kept: Kept): Promise<void>;
  remove(): Promise<void>;
  /** Puts a file that cannot be understood out of the way. @returns what was said of it, where it was so */
  setAside(): Promise<string | undefined>;
}

/** One file for each cluster. */
export function keeperFor(cluster: string, env: Record<string, string | undefined>): Keeper {
  const home = env.XDG_CONFIG_HOME ?? (env.HOME === undefined ? undefined : join(env.HOME, '.config'));
  if (home === undefined)
    throw new UsageError('there is no place to keep the answers', 'set HOME, or XDG_CONFIG_HOME');
  const file = join(home, 'evenkeel', `setup-${cluster}.json`);
  const read = () => (existsSync(file) ? parsed(file) : undefined);
  return {
    ...{ file, read },
    write: async (kept) => {
      await makeFolder(dirname(file), 0o700);
      await writeFileAtomic(file, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
    },
    remove: () => rm(file, { force: true }),
    setAside: async () => {
      try {
        read();
        return undefined;
      } catch (err) {
        if (!(err instanceof UsageError)) throw err;
        const aside = `${file}.damaged-${moment(systemClock).replaceAll(':', '')}`;
        await rename(file, aside);
        return `${err.message}; it is set aside as ${aside}`;
      }
    },
  };
}

/** Of a dry run nothing is written. */
export function unwritten(keeper: Keeper): Keeper {
  let kept = keeper.read();
  return {
    ...keeper,
    read: () => kept,
    write: async (next) => {
      kept = next;
    },
    remove: async () => {
      kept = undefined;
    },
  };
}

function parsed(file: string): Kept {
  const kept = jsonIn(file);
  if (!validator.Check(kept)) {
    throw notKept(
      file,
      problemsOf(validator, kept, (path) => path),
    );
  }
  const said = (answers: unknown): Partial<Answers> => {
    const read = readAnswers(answers);
    if (read.ok) return read.answers;
    throw notKept(file, read.problems);
  };
  const { answers, proposed, declared, declaring, ...rest } = kept;
  return {
    ...{ ...rest, answers: said(answers) },
    ...(proposed === undefined ? {} : { proposed: said(proposed) }),
    ...(declared === undefined ? {} : { declared: said(declared) }),
    ...(declaring === undefined ? {} : { declaring: { ...declaring, answers: said(declaring.answers) } }),
  };
}

const notKept = (file: string, [first]: readonly Problem[]): UsageError =>
  new UsageError(`${file} is not what a setup keeps: ${first?.path ?? ''} ${first?.message ?? ''}`, FIX);

function jsonIn(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (err) {
    throw new UsageError(`${file} cannot be read: ${messageOf(err)}`, FIX);
  }
}

const FIX = 'move it aside: the setup then begins with what is declared';
