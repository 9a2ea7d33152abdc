/** Carrying out a change: judged, rendered for trial, and then written; a dry run is the same and stops before the write. */
import type { ApplyAnswer } from '../../../protocol/views.ts';
import type { WriteRequest, WriteResult } from '../../store/store.ts';
import type { ApiStore } from '../given.ts';
import { changedOnly, changedWithDiffs, previewOf } from './preview.ts';
import { type Changed, changesOf, declaredNow } from './proposed.ts';
import { refuse } from './refuse.ts';
import { createRenderer } from './render.ts';
import { renderProblems } from './render-check.ts';

export interface Changes {
  /** @throws EvenkeelError with every problem; nothing has changed then */
  write(request: WriteRequest): Promise<WriteResult>;
  apply(request: WriteRequest): Promise<ApplyAnswer>;
  /** What `apply` would do and answer, with diffs. @throws EvenkeelError as `apply` does */
  dryRun(request: WriteRequest): Promise<ApplyAnswer>;
}

export function createChanges(store: ApiStore): Changes {
  const renderer = createRenderer();
  /** @throws EvenkeelError with every problem */
  const judge = async (request: WriteRequest): Promise<{ result: WriteResult; changes: Changed[] }> => {
    const result = await store.judge(request);
    const changes = changesOf(request.edits, result);
    if (changes.length > 0) refuse(await renderProblems(changes, declaredNow(store), renderer));
    return { result, changes };
  };
  const write = async (request: WriteRequest) => {
    await judge(request);
    return store.write(request);
  };
  return {
    write,
    apply: async (request) => {
      const result = await write(request);
      return { ...summaryOf(result), dryRun: false, changes: changedOnly(result), rendered: [] };
    },
    dryRun: async (request) => {
      const { result, changes } = await judge(request);
      const { rendered, warnings } = await previewOf(changes, declaredNow(store), renderer);
      const summary = summaryOf(result);
      return {
        ...summary,
        revision: store.meta().revision,
        dryRun: true,
        changes: await changedWithDiffs(result, changes, store),
        rendered,
        warnings: [...summary.warnings, ...warnings],
      };
    },
  };
}

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
