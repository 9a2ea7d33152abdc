/** Runs and queues: what is to be done, what waits, and the words of operators about it. */
import type { Given } from '../given.ts';
import type { Handlers } from '../mount.ts';
import type { Streams } from '../stream.ts';

type QueueRoutes = Pick<
  Handlers,
  | 'runStart'
  | 'runs'
  | 'run'
  | 'runAgain'
  | 'runUndo'
  | 'runCancel'
  | 'runStream'
  | 'tries'
  | 'queues'
  | 'queue'
  | 'queueRetry'
  | 'queueSkip'
  | 'queueCancel'
  | 'queuePause'
  | 'queueResume'
  | 'queueDiagnose'
>;

export const queueRoutes = ({ runs }: Pick<Given, 'runs'>, streams: Streams): QueueRoutes => ({
  runStart: ({ body, caller }) => runs.start(body, caller),
  runAgain: ({ params: { run }, caller }) => runs.again(run, caller),
  runUndo: ({ params: { run }, body: { again }, caller }) => runs.undo(run, again, caller),
  runCancel: ({ params: { run }, body: { reason }, caller }) => runs.cancelRun(run, reason, caller),
  runs: ({ query }) => runs.list(query),
  run: ({ params: { run } }) => runs.one(run),
  runStream: async (asked) => {
    const { run } = asked.params;
    // Before the answer begins: what is not there is refused as anywhere.
    const follow = await runs.follow(run);
    const stream = streams.open(asked);
    stream.onEnd(follow(stream));
    return asked.reply;
  },
  tries: ({ params: { run, name } }) => runs.tries(run, name),
  queues: () => ({ items: runs.queues() }),
  queue: ({ params: { name }, query }) => runs.history(name, query),
  queueRetry: ({ params: { name }, body, caller }) => runs.retry(name, body, caller),
  queueSkip: ({ params: { name }, body, caller }) => runs.skip(name, body, caller),
  queueCancel: ({ params: { name }, body, caller }) => runs.cancel(name, body, caller),
  queuePause: ({ params: { name }, body: { reason }, caller }) => runs.pause(name, reason, caller),
  queueResume: ({ params: { name }, caller }) => runs.resume(name, caller),
  queueDiagnose: ({ params: { name } }) => runs.diagnose(name),
});
