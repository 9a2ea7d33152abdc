/** The smtp check: the daemon greets, takes our name, and lets us go (RFC 5321, STARTTLS by RFC 3207). */
import { isIPv6 } from 'node:net';
import type { TalkTarget } from '../../common/render/resolved.ts';
import { converse } from './conversation.ts';
import { ask, expectCode } from './replies.ts';
import { type CheckResult, passed } from './result.ts';

/** @param signal ends the attempt */
export const checkSmtp = (target: TalkTarget, signal: AbortSignal): Promise<CheckResult> =>
  converse(target, signal, async (conversation) => {
    const greeting = await expectCode(conversation, '220');
    // A client without a name of its own gives its address (RFC 5321, 4.1.3).
    const { ownAddress } = conversation;
    const hello = `EHLO [${isIPv6(ownAddress) ? 'IPv6:' : ''}${ownAddress}]`;
    await ask(conversation, hello, '250');
    if (target.tls === 'starttls') {
      await ask(conversation, 'STARTTLS', '220');
      await conversation.secure();
      await ask(conversation, hello, '250');
    }
    await ask(conversation, 'QUIT', '221');
    return passed(greeting);
  });
