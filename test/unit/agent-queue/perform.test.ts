/** One try carried out with real processes: what ends how, what is refused, and that nothing of its group is left. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createExecutables } from '../../../agent/drivers/executables.ts';
import { createPerform, type PerformOptions, STOPPING } from '../../../agent/queue/perform.ts';
import type { ActionValues } from '../../../common/actions/values.ts';
import { type Clock, systemClock } from '../../../common/clock.ts';
import { processOf } from '../../../common/processes.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import { OUTPUT_LIMIT, type TryResult } from '../../../protocol/queue.ts';
import { ActionSpec } from '../../../protocol/resources/action.ts';
import { createManualClock } from '../../support/clock.ts';
import { temporaryFolder } from '../../support/courier.ts';
import { until } from '../../support/until.ts';

const DIGEST = 'a'.repeat(64);
/** Ten times as fast, so that five seconds of grace are half a one. */
const fast: Clock = {
  ...systemClock,
  monotonic: () => systemClock.monotonic() * 10,
  after: (ms, call) => systemClock.after(ms / 10, call),
  sleep: (ms, signal) => systemClock.sleep(ms / 10, signal),
};

let at: { folder: string; remove: () => Promise<void> };
let begun: string[];
let said: string[];
let stop: AbortController;
let isFull: boolean;
beforeEach(async () => {
  at = await temporaryFolder();
  [begun, said, stop, isFull] = [[], [], new AbortController(), false];
});
afterEach(() => at.remove());

const script = (name: string, text: string, shell = '/bin/sh'): string => {
  const path = join(at.folder, name);
  writeFileSync(path, `#!${shell}\n${text}\n`, { mode: 0o755 });
  return path;
};
const file = (name: string) => join(at.folder, name);
const pidIn = (name: string) => Number(readFileSync(file(name), 'utf8'));

type Given = Partial<Record<keyof ActionSpec, unknown>>;
const perform = (
  spec: Given,
  values: ActionValues = {},
  more: Partial<PerformOptions> = {},
): Promise<TryResult> => {
  const filled = Value.Default(ActionSpec, { idempotent: true, ...spec }) as ActionSpec;
  const words = [
    ...((spec.run as string[] | undefined) ?? []),
    ...((spec.unless as string[] | undefined) ?? []),
  ];
  const listed = words
    .filter((word) => word.startsWith('/'))
    .map((word) => [word.split('/').at(-1) ?? '', word]);
  const run = createPerform({
    allowed: true,
    action: (name) => (name === 'act' ? { digest: DIGEST, spec: filled } : undefined),
    roles: () => ['web'],
    resolve: createExecutables(Object.fromEntries(listed)).resolve,
    deeds: {
      'unit-restart': async ({ unit }) => void begun.push(`restart ${unit}`),
      'unit-reload': async () => {
        throw new EvenkeelError('not-found', 'there is no daemon of a unit x on this box');
      },
      sweep: (_, signal) => systemClock.sleep(60_000, signal),
      'certificate-renew': async () => undefined,
      facts: async (_, __, say) => say('hostname  web1\n'),
    },
    clock: fast,
    ...more,
  });
  const wanted = { run: 'abcdefghijkl', number: 3, action: 'act', digest: DIGEST, values, delay: 0 };
  return run(wanted, {
    begin: async (what) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (isFull) throw new EvenkeelError('write-failed', 'no space left');
      begun.push(`begun ${JSON.stringify(what)}`);
    },
    leads: ({ pid }) => void begun.push(`leader ${pid}`),
    live: (text) => void said.push(text),
    signal: stop.signal,
  });
};

it('[5.2] a command that ends with 0 has succeeded; else it failed, with its status and what it said', async () => {
  const run = script('one', 'echo out; echo bad >&2; exit $1');
  expect(await perform({ run: [run, '0'] })).toMatchObject({
    ...{
      run: 'abcdefghijkl',
      number: 3,
      end: 'succeeded',
      begun: true,
      already: false,
      status: 0,
      error: null,
    },
  });
  const failed = await perform({ run: [run, '3'] });
  expect(failed).toMatchObject({ end: 'failed', begun: true, status: 3, error: { code: 'command-failed' } });
  expect(failed.output.split('\n').sort()).toEqual(['', 'bad', 'out']);
  expect(failed.error?.message).toMatch(/one ended with 3: (bad|out)$/);
});

it('[5.1] `unless` that ends with 0 says that it was done already; else it is done, in what is left of the time', async () => {
  const run = script('do', 'echo done >> "$0.log"');
  const unless = script('unless', 'echo asked; exit $1');
  expect(await perform({ run: [run], unless: [unless, '0'] })).toMatchObject({
    ...{ end: 'succeeded', already: true, status: 0 },
  });
  expect(() => readFileSync(`${run}.log`)).toThrow(/ENOENT/);
  expect(await perform({ run: [run], unless: [unless, '1'] })).toMatchObject({
    end: 'succeeded',
    already: false,
  });
  expect(readFileSync(`${run}.log`, 'utf8')).toBe('done\n');
  const slow = script('slow', 'sleep 60');
  const late = await perform({ run: [run], unless: [slow], timeout: '2s' });
  expect(late).toMatchObject({ end: 'failed', error: { code: 'command-timeout' } });
  expect(said.join('')).toBe('');
});

it('[5.1] a program gets a fixed PATH, LANG, its own variables, its arguments and its input, and nothing of the agent', async () => {
  process.env.EVENKEEL_OF_THE_AGENT = 'yes';
  const run = script(
    'env',
    'env | grep -Ev "^(_|PWD|SHLVL|OLDPWD)="; pwd; for one; do echo "<$one>"; done; cat',
  );
  const spec = {
    run: [run, '{{list}}', 'a {{text}}'],
    parameters: { list: { type: 'list' }, text: { type: 'text' } },
    environment: { DEBIAN_FRONTEND: 'noninteractive', PATH: '/tmp' },
    input: 'hello {{text}}',
  };
  const { output } = await perform(spec, { list: ['x; rm -rf /', '$(id)\n`id`'], text: '* > "x"' });
  delete process.env.EVENKEEL_OF_THE_AGENT;
  const [env, args] = output.split('\n/\n');
  expect(env?.split('\n').sort()).toEqual([
    'DEBIAN_FRONTEND=noninteractive',
    expect.stringMatching(/^EVENKEEL_TRY=[a-z]+\/[0-9]+$/),
    'LANG=C.UTF-8',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  ]);
  expect(args).toBe('<x; rm -rf />\n<$(id)\n`id`>\n<a * > "x">\nhello * > "x"');
});

it('[5 must show] shell metacharacters and a newline are one argument; a NUL is refused before anything begins', async () => {
  const spec = { run: ['/usr/bin/printf', '%s', '{{text}}'], parameters: { text: { type: 'text' } } };
  const text = '$(reboot) `id` ; | & > "quoted"\n\\';
  expect((await perform(spec, { text })).output).toBe(text);
  begun = [];
  const refused = await perform(spec, { text: 'a\0b' });
  expect(refused).toMatchObject({ end: 'failed', begun: false, error: { code: 'invalid-document' } });
  expect(begun).toEqual([]);
});

it('[5 must show] 10 MiB of output beside an input that nobody reads: the beginning and the end, and no growth', async () => {
  const run = script('much', 'echo first; head -c 10485760 /dev/zero | tr "\\0" x; echo; echo last');
  let most = 0;
  const undo = systemClock.every(5, () => {
    most = Math.max(most, process.memoryUsage().rss);
  });
  await perform({ run: [run], input: 'x'.repeat(4096) });
  const before = process.memoryUsage().rss;
  most = 0;
  const result = await perform({ run: [run], input: 'x'.repeat(4096) });
  undo();
  expect(result.end).toBe('succeeded');
  expect([result.output.length, result.omitted]).toEqual([OUTPUT_LIMIT, 10_485_760 + 12 - OUTPUT_LIMIT]);
  expect([result.output.slice(0, 7), result.output.slice(-6)]).toEqual(['first\nx', '\nlast\n']);
  expect(most - before).toBeLessThan(64 * 1024 * 1024);
});

const gone = (...names: string[]) => names.filter((name) => processOf(pidIn(name)) !== null);

it('[5 must show] a process that forks and leaves a child that holds its output: it ends, and the child is gone', async () => {
  const run = script('forks', `sleep 600 &\necho $! > ${file('child')}\necho forked`);
  const result = await perform({ run: [run] });
  expect(result).toMatchObject({ end: 'succeeded', output: 'forked\n' });
  expect(gone('child')).toEqual([]);
});

it('[5 must show] a child that ignores SIGTERM, and one in a group of its own, are gone as well', async () => {
  const stubborn = script(
    'stubborn',
    `trap "" TERM\necho $$ > ${file('child')}\nwhile :; do sleep 0.1; done`,
  );
  // With job control each command of bash has a group of its own.
  const waits = `while ! [ -s ${file('child')} ]; do sleep 0.02; done`;
  const run = script('leaves', `set -m\n${stubborn} &\n${waits}`, '/bin/bash');
  expect(await perform({ run: [run] })).toMatchObject({ end: 'succeeded' });
  expect(gone('child')).toEqual([]);
});

it('[5 must show] one that ignores SIGTERM is ended by force when its time is over, and has failed', async () => {
  const run = script(
    'deaf',
    `trap "echo no" TERM\necho $$ > ${file('deaf.pid')}\nwhile :; do sleep 0.1; done`,
  );
  const result = await perform({ run: [run], timeout: '20s' });
  expect(result).toMatchObject({ end: 'failed', status: null, error: { code: 'command-timeout' } });
  expect(result.error?.message).toBe(`${run} did not end within 20s and was ended`);
  expect(result.output).toContain('no\n');
  expect(gone('deaf.pid')).toEqual([]);
});

it('[5.2] a cancelled one is told to end, may say its last words, and its group is gone', async () => {
  const run = script(
    'works',
    `trap "echo bye; exit 1" TERM\necho $$ > ${file('pid')}\nwhile :; do sleep 0.05; done`,
  );
  const going = perform({ run: [run] });
  await until('it works', () => {
    try {
      return pidIn('pid') > 1;
    } catch {
      return false; // not there yet
    }
  });
  stop.abort(new Error('cancelled'));
  const result = await going;
  expect(result).toMatchObject({ end: 'cancelled', begun: true, status: null, error: null });
  expect(result.output).toContain('bye\n');
  expect(gone('pid')).toEqual([]);
});

it('[5.3] it is said to be begun before its first process, with its leader after that; who was cancelled before that never begins', async () => {
  // Of one that is gone before it was looked at, there is no leader to tell.
  const run = script('quick', 'sleep 0.2');
  await perform({ run: [run], idempotent: false });
  expect(begun[0]).toBe('begun {"idempotent":false,"reboots":false}');
  expect(begun[1]).toMatch(/^leader \d+$/);
  begun = [];
  stop.abort(new Error('cancelled'));
  expect(await perform({ run: [run] })).toMatchObject({ end: 'cancelled', begun: false });
  expect(begun).toEqual([]);
});

it('[5.3] what cannot be recorded as begun does not begin', async () => {
  isFull = true;
  const run = script('never', `echo > ${file('ran')}`);
  await expect(perform({ run: [run] })).rejects.toMatchObject({ code: 'write-failed' });
  expect(existsSync(file('ran'))).toBe(false);
});

it('[5.2] secrets are cut out of what is said, at once and afterwards', async () => {
  const run = script('tells', 'printf "pass %s hunt" "$1"; sleep 0.1; printf "er2!\\n"; exit 1');
  const parameters = { password: { type: 'text', secret: true } };
  const result = await perform({ run: [run, '{{password}}'], parameters }, { password: 'hunter2' });
  expect(result.output).toBe('pass [secret] [secret]!\n');
  expect(said.join('')).toBe(result.output);
  expect(JSON.stringify(result)).not.toContain('hunter2');
});

it.each<[why: string, code: string, spec: Given, more: Partial<PerformOptions>]>([
  ['root refuses all', 'action-refused', {}, { allowed: false }],
  ['it is not declared here', 'action-unknown', {}, { action: () => undefined }],
  ['it is for other roles', 'action-refused', { roles: ['mail'] }, {}],
  ['the program is not on the list of the box', 'executable-refused', { run: ['reboot'] }, {}],
  ['its `unless` is not on the list', 'executable-refused', { unless: ['reboot'] }, {}],
  ['a value does not fit', 'invalid-document', { parameters: { size: { type: 'integer' } } }, {}],
])('[5.1] is refused, and nothing begins, when %s', async (_, code, spec, more) => {
  const values: ActionValues = spec.parameters ? { size: 'big' } : {};
  const result = await perform({ run: [script('never', 'exit 0')], ...spec }, values, more);
  expect(result).toMatchObject({ end: 'failed', begun: false, error: { code } });
  expect(begun).toEqual([]);
});

it('[5.1] an action that was changed since the command was made is not carried out', async () => {
  const run = ['/bin/true'];
  const spec = Value.Default(ActionSpec, { idempotent: true, run }) as ActionSpec;
  const result = await perform({ run }, {}, { action: () => ({ digest: 'b'.repeat(64), spec }) });
  expect(result).toMatchObject({ begun: false, error: { code: 'action-unknown' } });
});

it('[5.2] a node that has yet to hear of an action, or of its newest version, waits for it and then carries it out', async () => {
  const run = [script('late', 'echo done')];
  const spec = Value.Default(ActionSpec, { idempotent: true, run }) as ActionSpec;
  const seen = [undefined, { digest: 'b'.repeat(64), spec }];
  const action = () => (seen.length > 0 ? seen.shift() : { digest: DIGEST, spec });
  expect(await perform({ run }, {}, { action })).toMatchObject({ end: 'succeeded', output: 'done\n' });
});

it('[5.2] a program that is gone, and more arguments than a program can be given, are errors and no crash', async () => {
  const missing = join(at.folder, 'gone');
  expect(await perform({ run: [missing] })).toMatchObject({
    end: 'failed',
    error: { code: 'command-missing' },
  });
  mkdirSync(missing);
  expect(await perform({ run: [missing] })).toMatchObject({
    end: 'failed',
    error: { code: 'command-missing' },
  });
  const spec = {
    run: ['/bin/true', '{{many}}'],
    parameters: { many: { type: 'list', maxLength: 65_536 } },
  };
  const many = Array.from({ length: 200 }, () => 'x'.repeat(60_000));
  expect(await perform(spec, { many })).toMatchObject({ end: 'failed', begun: true, status: null });
});

it('[5.1] what the agent does itself ends as it ends, in its time', async () => {
  const parameters = { unit: { type: 'text' } };
  expect(await perform({ do: 'unit-restart', parameters }, { unit: 'nginx' })).toMatchObject({
    end: 'succeeded',
  });
  expect(begun).toContain('restart nginx');
  expect(await perform({ do: 'facts' })).toMatchObject({ end: 'succeeded', output: 'hostname  web1\n' });
  expect(said.join('')).toBe('hostname  web1\n');
  expect(await perform({ do: 'unit-reload' })).toMatchObject({ end: 'failed', error: { code: 'not-found' } });
  expect(await perform({ do: 'sweep', timeout: '1s' })).toMatchObject({
    ...{ end: 'failed', error: { code: 'command-timeout' } },
  });
  const going = perform({ do: 'sweep' });
  stop.abort(new Error('cancelled'));
  expect(await going).toMatchObject({ end: 'cancelled' });
});

/** A deed that heeds nobody, and is done when the test says so. */
function heedless() {
  let done = () => {};
  const deed = () =>
    new Promise<void>((resolve) => {
      begun.push('deed');
      done = resolve;
    });
  const deeds = { 'unit-restart': deed } as unknown as PerformOptions['deeds'];
  return { deeds, done: () => done() };
}
const isAtWork = () => until('it is at work', () => begun.includes('deed'));
const soon = () => new Promise((resolve) => setTimeout(resolve, 50));

it.each([
  ['is cancelled', '5m', () => stop.abort(new Error('cancelled'))],
  ['is late', '1s', () => undefined],
])(
  '[5.1] what the agent does itself and %s is over when it is done, and not before',
  async (_, timeout, act) => {
    const { deeds, done } = heedless();
    let isOver = false;
    const going = perform({ do: 'unit-restart', timeout }, {}, { deeds }).finally(() => {
      isOver = true;
    });
    await isAtWork();
    act();
    await systemClock.sleep(150);
    expect(isOver).toBe(false);
    done();
    expect(await going).toMatchObject({ end: 'succeeded', begun: true, error: null });
  },
);

it('[5.1] what the agent does itself and does not end is not waited for without end, and that is said', async () => {
  const clock = createManualClock();
  const going = perform({ do: 'unit-restart' }, {}, { deeds: heedless().deeds, clock });
  await isAtWork();
  stop.abort(new Error('cancelled'));
  await soon();
  await clock.advance(60_000);
  const { end, error } = await going;
  expect([end, error?.code]).toEqual(['failed', 'command-timeout']);
  expect(error?.message).toBe('it was told to stop, has not ended in 60000 ms, and may go on still');
});

it.each([
  ['at its work', false],
  ['late already', true],
])(
  '[5.3] an agent that stops waits less than ten seconds for what it does itself and is %s',
  async (_, isLate) => {
    const clock = createManualClock();
    const going = perform({ do: 'unit-restart', timeout: '1m' }, {}, { deeds: heedless().deeds, clock });
    await isAtWork();
    if (isLate) await clock.advance(60_000);
    await soon();
    stop.abort(STOPPING);
    await soon();
    await clock.advance(5_000);
    expect(await going).toMatchObject({ end: 'cancelled', begun: true });
  },
);

it('[5.1] a reboot is begun as one; a box that stays up when its time is over has failed', async () => {
  const systemctl = script('systemctl', `echo "$@" > ${file('asked')}`);
  const { resolve } = createExecutables({ systemctl });
  const result = await perform({ do: 'reboot', idempotent: false, timeout: '20s' }, {}, { resolve });
  expect(begun[0]).toBe('begun {"idempotent":false,"reboots":true}');
  expect(readFileSync(file('asked'), 'utf8')).toBe('reboot\n');
  expect(result).toMatchObject({ end: 'failed', error: { code: 'command-timeout' } });
});
