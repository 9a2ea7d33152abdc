/** Whoever watches a run at his own pace: what is not kept for him any more he sees to be missing. */
import { expect, it } from 'vitest';
import { createLive } from '../../../manager/queue/live.ts';
import { createWatching } from '../../../manager/queue/watching.ts';
import type { RunLine } from '../../../protocol/queue-api.ts';
import { until } from '../../support/until.ts';

const run = 'aaaaaaaaaaaa';

it('[5.5] a slow reader of more nodes than are kept is told of each, how far it has come and what of it is missing', async () => {
  const live = createLive(() => true);
  const follow = createWatching({
    live,
    queue: { onChanged: () => () => undefined, line: () => [] },
    rows: { ofRun: async () => [] },
  })(run);
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const told = new Map<string, number>();
  const lengths = { shown: 0, missing: 0 };
  const hear = (line: RunLine) => {
    if (line.type !== 'output') return;
    lengths.missing += line.at - (told.get(line.node) ?? 0);
    lengths.shown += line.text.length;
    told.set(line.node, line.at + line.text.length);
  };
  const stop = follow({
    lines: async (lines) => {
      await gate;
      lines.forEach(hear);
    },
    failed: (error) => expect(error).toBeUndefined(),
  });
  for (let at = 0; at < 700; at += 1) live.ended(`w${at}`, { run, number: 1, output: 'hello', omitted: 0 });
  open();
  await until('each was told', () => told.size === 700);
  expect([...told.values()].every((to) => to === 5)).toBe(true);
  expect(lengths.shown + lengths.missing).toBe(3_500);
  expect(lengths.shown).toBeGreaterThanOrEqual(2_500);
  stop();
});
