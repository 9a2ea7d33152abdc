/** The ftp check: the daemon greets and lets us go (RFC 959, AUTH TLS by RFC 4217). */
import type { TalkTarget } from '../../common/render/resolved.ts';
import { converse } from './conversation.ts';
import { ask, expectCode } from './replies.ts';
import { type CheckResult, passed } from './result.ts';

/** @param signal ends the attempt */
export const checkFtp = (target: TalkTarget, signal: AbortSignal): Promise<CheckResult> =>
  converse(target, signal, async (conversation) => {
    const greeting = await expectCode(conversation, '220');
    if (target.tls === 'starttls') {
      await ask(conversation, 'AUTH TLS', '234');
      await conversation.secure();
    }
    await ask(conversation, 'QUIT', '221');
    return passed(greeting);
  });
