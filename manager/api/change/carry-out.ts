/** Carrying out a change: judged, rendered for trial, and then written; a dry run is the same and stops before the write. */
import type { Clock } from '../../../common/clock.ts';
import { keyOfEdit } from '../../../common/rules.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import { type Kind, kindNames } from '../../../protocol/resource.ts';
import type { ApplyAnswer } from '../../../protocol/views.ts';
import { adviceOn } from '../../desired/advice.ts';
import type { WriteRequest, WriteResult } from '../../store/store.ts';
import type { ApiStore } from '../given.ts';
import { changedOnly, changedWithDiffs, previewOf } from './preview.ts';
import { type Changed, changesOf, declaredAfter, declaredNow } from './proposed.ts';
import { refuse } from './refuse.ts';
import { createRenderer } from './render.ts';
import { renderProblems, type Trial } from './render-check.ts';
import { createSlices } from './slices.ts';

interface Judged {
  result: WriteResult;
  changes: Changed[];
  /** What of it does nothing. */
  advice: string[];
}

export interface Changes {
  /** @throws EvenkeelError with every problem; nothing has changed then */
  write(request: WriteRequest): Promise<WriteResult>;
  apply(request: WriteRequest): Promise<Applied>;
  /** What `apply` would do and answer, with diffs. @throws EvenkeelError as `apply` does */
  dryRun(request: WriteRequest): Promise<Applied>;
}

/** For whoever asked. */
type Applied = Omit<ApplyAnswer, 'actor'>;

/** With more edits, or more sites to be rendered for one of them, a change is large. */
const LARGE = 500;
/** So often a change is tried again, when what its trial read was changed by somebody else meanwhile. */
const TRIES = 20;
const reaching = new Set<Kind>(['Policy', 'Template', 'Node', 'Cluster']);

export function createChanges(store: ApiStore, clock: Clock): Changes {
  const renderer = createRenderer();
  const large = new Set<string>();
  const isLarge = ({ edits }: WriteRequest) =>
    edits.length > LARGE ||
    (store.total('Site') > LARGE && edits.some((edit) => reaching.has(keyOfEdit(edit).kind)));
  /** One large change of a caller at a time: whoever sends it again and again fills no memory. @throws EvenkeelError busy */
  const alone = async <T>(request: WriteRequest, work: () => Promise<T>): Promise<T> => {
    if (!isLarge(request)) return work();
    const { actor } = request;
    if (large.has(actor))
      throw new EvenkeelError('busy', `a large change of ${actor} is under way already; wait for its answer`);
    large.add(actor);
    try {
      return await work();
    } finally {
      large.delete(actor);
    }
  };
  /** @throws EvenkeelError with every problem */
  const judge = async (request: WriteRequest, trial: Trial): Promise<Judged> => {
    const result = await store.judge(request);
    const changes = changesOf(request.edits, result);
    if (changes.length > 0) refuse(await renderProblems(changes, declaredNow(store), trial));
    return { result, changes, advice: adviceOnChanges(changes) };
  };
  const adviceOnChanges = (changes: Changed[]): string[] => {
    const kinds = new Set(changes.map(({ kind }) => kind));
    if (!kinds.has('Cluster') && !kinds.has('VirtualService')) return [];
    const after = declaredAfter(declaredNow(store), changes);
    const touched = ({ name }: { name: string }) =>
      kinds.has('Cluster') || changes.some((one) => one.kind === 'VirtualService' && one.name === name);
    const services = [...after.of('VirtualService').values()].filter(touched);
    return adviceOn(after.of('Cluster').get('cluster'), services, after.of('Node').values());
  };
  const trialNow = (): Trial => ({ renderer, breathe: createSlices(clock) });
  const write = (request: WriteRequest) =>
    alone(request, async () => {
      const trial = trialNow();
      let whole = 0;
      for (let tries = 1; ; tries += 1) {
        const { revision } = store.meta();
        if (trial.tried === undefined) whole = revision;
        const { changes, advice } = await judge(request, trial);
        try {
          const tried = readBy(changes, { whole, sites: revision });
          const result = await store.write({ ...request, tried });
          return { ...result, warnings: [...result.warnings, ...advice] };
        } catch (err) {
          if (!isOvertaken(err) || tries >= TRIES) throw err;
          trial.tried = err.problems.every(({ value }) => value === 'Site') ? revision : undefined;
        }
      }
    });
  return {
    write,
    apply: async (request) => {
      const result = await write(request);
      return { ...summaryOf(result), dryRun: false, changes: changedOnly(result), rendered: [] };
    },
    dryRun: (request) =>
      alone(request, async () => {
        const trial = trialNow();
        const { result, changes, advice } = await judge(request, trial);
        const { rendered, warnings } = await previewOf(changes, declaredNow(store), trial);
        const summary = summaryOf(result);
        return {
          ...summary,
          revision: store.meta().revision,
          dryRun: true,
          changes: await changedWithDiffs(result, changes, store),
          rendered,
          warnings: [...summary.warnings, ...advice, ...warnings],
        };
      }),
  };
}

/** What the trial of these changes reads: sites are tried each for itself, but with a template all of them are. */
function readBy(changes: readonly Changed[], at: { whole: number; sites: number }): WriteRequest['tried'] {
  const others = Object.fromEntries(
    kindNames.filter((kind) => kind !== 'Site').map((kind) => [kind, at.whole]),
  );
  return changes.some(({ kind }) => reaching.has(kind)) ? { ...others, Site: at.sites } : others;
}

const isOvertaken = (err: unknown): err is EvenkeelError =>
  err instanceof EvenkeelError && err.code === 'overtaken';

function summaryOf({ revision, outcomes, warnings }: WriteResult) {
  const count = (wanted: string) => outcomes.filter(({ op }) => op === wanted).length;
  return {
    revision,
    created: count('create'),
    updated: count('update'),
    deleted: count('delete'),
    unchanged: count('unchanged'),
    warnings,
  };
}
