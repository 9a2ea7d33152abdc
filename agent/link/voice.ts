/** What the node says on its own topics, each message as the table of topics wants it. */
import type { Answer, Report, Status, Traffic } from '../../protocol/messages.ts';
import type { LiveOutput } from '../../protocol/queue.ts';
import { topicOf, topics } from '../../protocol/topics.ts';
import type { Connection, Will } from './connect.ts';
import type { Presence } from './presence.ts';

export interface Voice {
  status(): void;
  beat(): void;
  answer(answer: Answer): void;
  traffic(traffic: TrafficBody): void;
  output(piece: LiveOutput): void;
  /** False when there is no connection. */
  report(report: Report): boolean;
  /** What is said when the node is gone, with or without a word. */
  farewell(session: string): Will;
}

/** What was counted, before it is said in which session. */
export type TrafficBody = Omit<Traffic, 'session'>;

export interface VoiceOptions {
  node: string;
  presence: Presence;
  /** Whether all is well here, as each beat says. */
  isWell: () => boolean;
  connection: () => Connection;
}

export function createVoice({ node, presence, isWell, connection }: VoiceOptions): Voice {
  const say = (name: 'status' | 'beat' | 'answer' | 'report' | 'traffic' | 'output', message: unknown) => {
    const { qos, retained } = topics[name];
    return connection().send(topicOf[name](node), JSON.stringify(message), { qos, retain: retained });
  };
  const status = (session: string, state: Status['state']) => presence.status(session, state);
  return {
    status: () => say('status', status(connection().session(), 'online')),
    beat: () => say('beat', presence.beat(connection().session(), isWell())),
    traffic: (traffic) => say('traffic', { ...traffic, session: connection().session() }),
    output: (piece) => say('output', piece),
    answer: (answer) => say('answer', answer),
    report: (report) => say('report', report),
    farewell: (session) => ({
      topic: topicOf.status(node),
      payload: JSON.stringify(status(session, 'offline')),
    }),
  };
}
