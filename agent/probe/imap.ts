/** The imap check: the daemon greets, says what it can, and lets us go (RFC 9051). */
import type { TalkTarget } from '../../common/render/resolved.ts';
import { type Conversation, converse } from './conversation.ts';
import { type CheckResult, passed } from './result.ts';

/** @param signal ends the attempt */
export const checkImap = (target: TalkTarget, signal: AbortSignal): Promise<CheckResult> =>
  converse(target, signal, async (conversation) => {
    const greeting = await conversation.hear();
    if (!/^\* (OK|PREAUTH)\b/i.test(greeting)) throw new Error(`answered ${greeting}, wanted * OK`);
    await ask(conversation, 'a1', 'CAPABILITY');
    if (target.tls === 'starttls') {
      await ask(conversation, 'a2', 'STARTTLS');
      await conversation.secure();
      await ask(conversation, 'a3', 'CAPABILITY');
    }
    await ask(conversation, 'a4', 'LOGOUT');
    return passed(greeting);
  });

/** Passes over whatever comes before the answer that has our tag. */
async function ask({ say, hear }: Conversation, tag: string, command: string): Promise<void> {
  say(`${tag} ${command}`);
  for (;;) {
    const line = await hear();
    const answer = line.startsWith(`${tag} `) ? line.slice(tag.length + 1) : undefined;
    if (answer !== undefined && /^OK\b/i.test(answer)) return;
    if (answer !== undefined) throw new Error(`answered ${answer} to ${command}, wanted OK`);
  }
}
