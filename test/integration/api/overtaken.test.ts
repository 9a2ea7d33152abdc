/** Overtaken: changes that are tried at the same time, each on what was declared then, never make together what nobody tried. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../common/clock.ts';
import { createChanges } from '../../../manager/api/change/carry-out.ts';
import { editsOf } from '../../../manager/api/change/documents.ts';
import type { WriteRequest } from '../../../manager/store/store.ts';
import type { EvenkeelError } from '../../../protocol/errors.ts';
import { declare, node, site, startTestApi, type TestApi } from '../../support/api.ts';
import { templateWith } from '../../support/home.ts';

let api: TestApi;
beforeEach(async () => {
  api = await startTestApi();
  await declare(api.store, [node('n1', ['web'], '127.0.0.11')]);
});
afterEach(() => api.stop());

/** Changes as the API makes them; `before` happens each time between the trial and the write. */
const changes = (before: (request: WriteRequest) => Promise<unknown> = async () => undefined) =>
  createChanges(
    {
      ...api.store,
      write: async (request) => {
        await before(request);
        return api.store.write(request);
      },
    },
    systemClock,
  );
const request = async (documents: unknown[], actor: string): Promise<WriteRequest> => ({
  actor,
  edits: await editsOf(documents, api.store.view(), { name: 'test', role: 'admin' }),
});
/** Carries out the first, and the second between the trial of the first and its write. */
async function oneInTheOther(first: unknown[], second: unknown[]) {
  const inner = await request(second, 'second');
  let done: Promise<unknown> | undefined;
  const within = () => {
    done ??= changes().write(inner);
    return done;
  };
  return changes(within).write(await request(first, 'first'));
}
const plain = [site('plain.example')];
const needy = async () => [
  await templateWith('vhost/nginx-site.conf.hbs', (text) => `# {{spec.php.socket}}\n${text}`),
];
const rendered = async () => (await api.ask('GET', '/api/v1/nodes/n1/render')).statusCode;

it('[2.8] sites that are tried while a template comes that they do not fit are refused, and all renders', async () => {
  await expect(oneInTheOther(plain, await needy())).rejects.toMatchObject({ code: 'render-failed' });
  expect(api.store.view().Site.has('plain.example')).toBe(false);
  expect(await rendered()).toBe(200);
});

it('[2.8] a template that is tried while a site comes that does not fit it is refused, and all renders', async () => {
  await expect(oneInTheOther(await needy(), plain)).rejects.toMatchObject({
    code: 'render-failed',
    problems: [{ value: 'Site/plain.example' }],
  });
  expect(await rendered()).toBe(200);
});

it('[2.8] a change of a template goes through beside sites that never cease to come', async () => {
  const harmless = [await templateWith('vhost/nginx-site.conf.hbs', (was) => `# harmless\n${was}`)];
  let more = 0;
  const coming = async () => {
    more += 1;
    if (more < 10) await declare(api.store, [site(`s${more}.example`)]);
  };
  await changes(coming).write(await request(harmless, 'slow'));
  expect(more).toBe(10);
  expect(await rendered()).toBe(200);
});

it('[2.8] a change that is overtaken each time ends with 409 and the fix, and has changed nothing', async () => {
  let times = 0;
  const always = () => {
    times += 1;
    return declare(api.store, [node('n2', ['web'], '127.0.0.12', { weight: times })]);
  };
  const refused = (await changes(always)
    .write(await request(plain, 'slow'))
    .catch((err: unknown) => err)) as EvenkeelError;
  expect(refused).toMatchObject({
    ...{ code: 'overtaken', status: 409, retriable: true },
    message: 'somebody else has changed a Node while this change was tried',
    problems: [{ value: 'Node', fix: 'send it again, when fewer changes are under way' }],
  });
  expect(times).toBe(20);
  expect(api.store.view().Site.has('plain.example')).toBe(false);
});

it('[2.8] many who change templates at once all come through', async () => {
  const names = Array.from({ length: 8 }, (_, at) => `t${at}.hbs`);
  const put = (name: string) =>
    api.ask('PUT', `/api/v1/resources/Template/${name}`, { spec: { syntax: 'plain', text: name } });
  const answers = await Promise.all(names.map(put));
  expect(answers.map(({ statusCode }) => statusCode)).toEqual(names.map(() => 201));
});
