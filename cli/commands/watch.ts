/** `--watch`: a run as it goes, with what each node says, until all is over. */
import type { AnswerOf } from '../../protocol/endpoints.ts';
import { isOpen } from '../../protocol/queue.ts';
import type { CommandView, RunLine, RunView } from '../../protocol/queue-api.ts';
import { clean } from '../clean.ts';
import { Ended } from '../failure.ts';
import { barOf, behindText, commandNote, countsText, isStopped, stoppedText } from '../queue-look.ts';
import type { Session } from '../session.ts';
import { beatsAndLinesIn } from '../sse.ts';

/**
 * A command that waits behind one that has failed would be watched for ever without a word.
 * @param stuck nodes of which that was said already
 * @returns the run; `stuck`: nodes whose queue waits for minutes, or for a person
 */
export async function sayBehind(
  run: string,
  session: Session,
  stuck = new Set<string>(),
): Promise<AnswerOf<'run'> & { stuck: Set<string> }> {
  const found = await session.client.call('run', { params: { run } });
  const waiting = new Set(found.commands.filter(({ state }) => state === 'waiting').map(({ node }) => node));
  if (waiting.size === 0) return { ...found, stuck };
  const { items } = await session.client.call('queues');
  for (const queue of items) {
    const text = waiting.has(queue.node) ? behindText(queue, run) : '';
    if (text === '') stuck.delete(queue.node);
    else if (!stuck.has(queue.node)) {
      session.note(text);
      stuck.add(queue.node);
    }
  }
  return { ...found, stuck };
}

/** Until every command is over; Ctrl-C says how to come back. */
export async function watched(id: string, session: Session): Promise<void> {
  const { run, commands: asked, stuck } = await sayBehind(id, session);
  session.note(`watching run ${id}; Ctrl-C only stops looking: evenkeel runs ${id} --watch comes back`);
  const commands = new Map<string, CommandView>();
  const controller = new AbortController();
  const stream = await session.client.open('runStream', { params: { run: id }, signal: controller.signal });
  const prefixed = createPrefixer(id, session);
  for await (const line of beatsAndLinesIn<RunLine>(stream)) {
    // Another run may have come to a halt before it.
    if (line === null) await sayBehind(id, session, stuck);
    else if (line.type === 'output') prefixed.hear(line);
    else {
      if (isSettled(line.command)) prefixed.end(line.command.node);
      told(commands, line.command, session);
    }
    const rest = [...commands.values()].filter(({ node, state }) => state !== 'waiting' || !stuck.has(node));
    if (commands.size === asked.length && isStill(run, rest)) break;
  }
  controller.abort();
  stream.destroy();
  const found = await session.client.call('run', { params: { run: id } });
  session.print(found, () => [countsText(found.run), ...stoppedText(found)].join('\n'));
  if (found.commands.some(({ state, turn }) => state !== 'succeeded' || turn?.failed))
    throw new Ended('unfinished');
}

/** Over, or halted: nothing more comes for minutes. */
const isSettled = ({ state }: CommandView): boolean =>
  !isOpen(state) || state === 'failed' || state === 'unknown';

/** Nothing more comes for minutes, of any node: those that wait for their turn do not get it. */
function isStill(run: RunView, commands: readonly CommandView[]): boolean {
  const stopped = isStopped({ run, commands });
  return commands.every((command) =>
    command.turn === null
      ? isSettled(command)
      : command.turn.phase === 'done' || command.turn.failed || (stopped && command.turn.phase === 'waits'),
  );
}

function told(commands: Map<string, CommandView>, command: CommandView, session: Session): void {
  const textOf = (one: CommandView) => [one.state, commandNote(one)].filter((text) => text !== '').join(': ');
  const before = commands.get(command.node);
  commands.set(command.node, command);
  if (before && textOf(before) === textOf(command) && barOf(before) === barOf(command)) return;
  session.say(`${session.paint('dim', command.node)}  ${barOf(command)}  ${textOf(command)}`);
}

/** Each line of a node with its name before it; half a line waits for its other half, and a gap is said. */
function createPrefixer(run: string, session: Session) {
  const heard = new Map<string, Pick<Said, 'number' | 'at' | 'text'>>();
  const say = (node: string, line: string) => session.say(`${session.paint('dim', node)}  ${clean(line)}`);
  const end = (node: string) => {
    const last = heard.get(node);
    if (last === undefined || last.text === '') return;
    say(node, last.text);
    heard.set(node, { ...last, text: '' });
  };
  return {
    end,
    hear: ({ node, number, at, text }: Said) => {
      const last = heard.get(node);
      if (last?.number !== number || at > last.at) end(node);
      const before = heard.get(node)?.number === number ? heard.get(node) : undefined;
      const missed = at - (before?.at ?? 0);
      if (missed > 0)
        session.note(`${node}: ${missed} characters are not shown here: evenkeel runs ${run} --said ${node}`);
      const lines = ((before?.text ?? '') + text).split('\n');
      heard.set(node, { number, at: at + text.length, text: (lines.pop() ?? '').slice(-4096) });
      for (const line of lines) say(node, line);
    },
  };
}

type Said = Extract<RunLine, { type: 'output' }>;
