/** Replies with a code, as smtp and ftp give them: `250-first`, any more, `250 last`. */
import type { Conversation } from './conversation.ts';

/** Hears one reply, of however many lines, and gives its first. @throws when its code is another one */
export async function expectCode({ hear }: Conversation, wanted: string): Promise<string> {
  const first = await hear();
  const isReply = /^[1-5][0-9]{2}(?:[ -]|$)/.test(first);
  if (!isReply || !first.startsWith(wanted)) throw new Error(`answered ${first}, wanted ${wanted}`);
  if (first[3] !== '-') return first;
  for (;;) {
    const line = await hear();
    if (line === wanted || line.startsWith(`${wanted} `)) return first;
  }
}

export function ask(conversation: Conversation, command: string, wanted: string): Promise<string> {
  conversation.say(command);
  return expectCode(conversation, wanted);
}
