/** Joining on the box: what a person is shown and asked, and how long a box waits for an operator. */
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { confirm } from '../../agent/identity/confirm.ts';
import { patiently } from '../../agent/identity/patience.ts';
import { readable } from '../../common/fingerprint.ts';
import { type ErrorCode, EvenkeelError } from '../../protocol/errors.ts';
import { createManualClock } from '../support/clock.ts';

const shown = {
  name: 'web1',
  manager: { at: '10.0.0.1:8443', fingerprint: 'ab'.repeat(32) },
  key: 'cd'.repeat(32),
};
const terminal = (answer?: string) => {
  const input = Object.assign(new PassThrough(), { isTTY: answer !== undefined });
  const output = new PassThrough();
  if (answer !== undefined) input.end(`${answer}\n`);
  return { input, output, text: () => String(output.read() ?? '') };
};

it('[4.4] join shows both fingerprints in the form of the manager, and asks', async () => {
  const said = terminal('yes');
  await confirm(shown, false, said);
  const text = said.text();
  expect(text).toContain(`the manager at 10.0.0.1:8443  ${readable(shown.manager.fingerprint)}\n`);
  expect(text).toContain('abab-abab-abab-abab-abab-abab-abab-abab');
  expect(text).toContain('cdcd-cdcd-cdcd-cdcd-cdcd-cdcd-cdcd-cdcd');
  await expect(confirm(shown, false, terminal('n'))).rejects.toMatchObject({ code: 'not-confirmed' });
  await expect(confirm(shown, false, terminal(''))).rejects.toMatchObject({ code: 'not-confirmed' });
});

it('[4.4] join needs --yes where there is no terminal, and shows them all the same', async () => {
  await expect(confirm(shown, false, terminal())).rejects.toMatchObject({
    ...{ code: 'not-confirmed', message: expect.stringContaining('--yes') },
  });
  const said = terminal();
  await confirm(shown, true, said);
  expect(said.text()).toContain(readable(shown.key));
});

it('[4.4] a box that waits asks again every five seconds, through a restart of the manager, and for so long and no longer', async () => {
  const time = createManualClock();
  const said: string[] = [];
  const patience = { wait: 60_000, say: (line: string) => said.push(line), clock: time };
  const saying = (...codes: ErrorCode[]) => {
    const tries: number[] = [];
    const ask = async () => {
      tries.push(time.monotonic());
      const code = codes[tries.length - 1];
      if (code !== undefined) throw new EvenkeelError(code, code);
      return 'joined';
    };
    const ended = patiently(ask, patience).catch((err: unknown) => (err as EvenkeelError).code);
    return { tries, ended };
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const good = saying('join-waiting', 'join-waiting', 'node-unreachable', 'manager-held');
  await settle();
  await time.advance(25_000);
  expect(await good.ended).toBe('joined');
  expect(good.tries).toEqual([0, 5_000, 10_000, 15_000, 20_000]);
  expect(said).toEqual(['join-waiting', 'node-unreachable', 'manager-held']);
  const long = saying(...Array.from({ length: 100 }, () => 'join-waiting' as const));
  await settle();
  await time.advance(120_000);
  expect({ ended: await long.ended, tries: long.tries.length }).toEqual({
    ended: 'join-waiting',
    tries: 13,
  });
  for (const code of ['node-unreachable', 'invite-invalid', 'name-in-use', 'manager-untrusted'] as const) {
    const once = saying(code);
    expect({ ended: await once.ended, tries: once.tries.length }).toEqual({ ended: code, tries: 1 });
  }
});
