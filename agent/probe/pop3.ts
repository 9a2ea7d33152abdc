/** The pop3 check: the daemon greets and lets us go (RFC 1939, STLS by RFC 2595). */
import type { TalkTarget } from '../../common/render/resolved.ts';
import { type Conversation, converse } from './conversation.ts';
import { type CheckResult, passed } from './result.ts';

/** @param signal ends the attempt */
export const checkPop3 = (target: TalkTarget, signal: AbortSignal): Promise<CheckResult> =>
  converse(target, signal, async (conversation) => {
    const greeting = await expectOk(conversation);
    if (target.tls === 'starttls') {
      await ask(conversation, 'STLS');
      await conversation.secure();
    }
    await ask(conversation, 'QUIT');
    return passed(greeting);
  });

async function expectOk({ hear }: Conversation): Promise<string> {
  const line = await hear();
  if (!/^\+OK\b/i.test(line)) throw new Error(`answered ${line}, wanted +OK`);
  return line;
}

function ask(conversation: Conversation, command: string): Promise<string> {
  conversation.say(command);
  return expectOk(conversation);
}
