/** What a node asks of its manager about itself: whether it is a member still, and to be one no more. */
import { Compile } from 'typebox/compile';
import { refusalIn, request } from '../../common/request.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { machines } from '../../protocol/machines.ts';

interface Manager {
  address: string;
  ports: { machines: number };
  /** The node's own certificate and the authorities it believes. */
  current(): { key: string; cert: string; ca: string };
}

const TIMEOUT_MS = 15_000;
const LARGEST = 64 * 1024;
const isAnswer = Compile(machines.standing.answer);

async function ask(
  { address, ports, current }: Manager,
  { method, path }: { method: 'GET' | 'POST'; path: string },
  body?: object,
): Promise<void> {
  const call = { host: address, port: ports.machines, method, path, body, tls: current() };
  const answer = await request({ ...call, timeout: TIMEOUT_MS, limit: LARGEST });
  if (answer.status !== 200) throw refusalIn(answer);
  if (!isAnswer.Check(answer.body))
    throw new EvenkeelError('bad-request', 'the answer of the manager cannot be understood');
}

/** @throws EvenkeelError node-removed, what else the manager refuses, or node-unreachable */
export const askStanding = (manager: Manager): Promise<void> => ask(manager, machines.standing);

/**
 * Has the manager remove this node; one that is removed already has what it asks for.
 * @param run of the process that is connected; @throws EvenkeelError what the manager refuses, or node-unreachable
 */
export async function askToLeave(manager: Manager, run: string): Promise<void> {
  await ask(manager, machines.leave, { run }).catch((err: unknown) => {
    if (!(err instanceof EvenkeelError && err.code === 'node-removed')) throw err;
  });
}
