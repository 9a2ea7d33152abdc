/** Admission: everything that is wrong with a request, each problem with the field that it stands in and a fix. */
import { expect, it } from 'vitest';
import type { Edit } from '../../../common/rules.ts';
import { admit } from '../../../manager/desired/admit.ts';
import type { Resource } from '../../../protocol/resource.ts';
import {
  basics,
  deletion,
  httpCheck,
  node,
  policy,
  puts,
  service,
  site,
  template,
} from '../store/declared.ts';
import { proposed } from './viewed.ts';

/** `code path` of each problem; every one of them says something. */
function problems(existing: Resource[], ...edits: Edit[]): string[] {
  const found = admit(proposed(existing, edits));
  for (const { message } of found) expect(message).not.toBe('');
  return found.map(({ code, path }) => `${code} ${path}`).sort();
}

const daemon = (name: string, spec: object = {}) => ({
  service: { name, start: ['/usr/sbin/x'], reload: { signal: 'HUP' }, pidFile: `{{run}}/${name}.pid` },
  ...spec,
});

it('[2 bad input] a domain is refused wherever another site has it: name or alias, in the store or in the request', () => {
  const store = [site('a.example.org', { aliases: ['www.example.org'] })];
  expect(problems(store, ...puts(site('www.example.org')))).toEqual(['duplicate-domain documents/0/name']);
  expect(
    problems(store, ...puts(site('b.example.org', { aliases: ['x.example.org', 'a.example.org'] }))),
  ).toEqual(['duplicate-domain documents/0/spec/aliases/1']);
  expect(
    problems([], ...puts(site('b.example.org', { aliases: ['c.example.org'] }), site('c.example.org'))),
  ).toEqual(['duplicate-domain documents/1/name']);
  expect(problems([], ...puts(site('b.example.org', { aliases: ['b.example.org'] })))).toEqual([
    'duplicate-domain documents/0/spec/aliases/0',
  ]);
});

it('[2 bad input] a domain that is given up in the same request is free', () => {
  const store = [site('a.example.org', { aliases: ['www.example.org'] })];
  expect(
    problems(store, ...puts(site('b.example.org', { aliases: ['www.example.org'] }), site('a.example.org'))),
  ).toEqual([]);
  expect(problems(store, deletion('Site', 'a.example.org'), ...puts(site('www.example.org')))).toEqual([]);
});

it('[2 bad input] only one site may be the default server', () => {
  const store = [site('a.example.org', { defaultServer: true })];
  expect(problems(store, ...puts(site('b.example.org', { defaultServer: true })))).toEqual([
    'duplicate-domain documents/0/spec/defaultServer',
  ]);
  expect(
    problems(store, ...puts(site('b.example.org', { defaultServer: true }), site('a.example.org'))),
  ).toEqual([]);
});

it('[2 bad input] a dangling reference is refused in the document that refers', () => {
  expect(problems([], ...puts(policy('web')))).toEqual([
    'dangling-reference documents/0/spec/files/0/template',
  ]);
  expect(problems([], ...puts(template('main.hbs', '{{> gone.hbs}}')))).toEqual([
    'dangling-reference documents/0/spec/text',
  ]);
  expect(
    problems(
      [template('main.hbs')],
      ...puts(policy('web', { files: [{ template: 'main.hbs', path: 'f', for: 'sites' }] })),
    ),
  ).toEqual(['dangling-reference documents/0/spec/files/0/for']);
  expect(
    problems(
      basics(),
      ...puts(service('other', { vip: '192.0.2.11', pool: { role: 'web', check: 'https', probe: {} } })),
    ),
  ).toEqual(['dangling-reference documents/0/spec/pool/check']);
  expect(
    problems(basics(), ...puts(service('other', { vip: '192.0.2.11', weights: { web1: 1, web9: 1 } }))),
  ).toEqual(['dangling-reference documents/0/spec/weights/web9']);
});

it('[2 bad input] what something else still refers to cannot be taken away', () => {
  expect(problems(basics(), deletion('Template', 'main.hbs'))).toEqual(['still-referenced ']);
  expect(problems(basics(), deletion('Policy', 'web'))).toEqual(['still-referenced ']);
  expect(problems(basics(), ...puts(policy('web', { role: 'mail', checks: [httpCheck] })))).toEqual([
    'still-referenced documents/0',
  ]);
  expect(problems(basics(), deletion('Cluster', 'cluster'))).toEqual(['still-referenced ']);
  expect(
    problems(
      basics(),
      deletion('VirtualService', 'web'),
      deletion('Policy', 'web'),
      deletion('Template', 'main.hbs'),
    ),
  ).toEqual([]);
});

it('[2.7] a node can be removed though a weight names it', () => {
  const store = [...basics(), node('web2'), service('weighted', { weights: { web2: 5 } })];
  expect(problems(store, deletion('Node', 'web2'))).toEqual([]);
});

it('[2 bad input] a template that does not compile, or includes one of another syntax, is refused', () => {
  expect(problems([], ...puts(template('main.hbs', '{{#if x}}')))).toEqual([
    'render-failed documents/0/spec/text',
  ]);
  expect(
    problems([template('part.hbs', '', 'nginx')], ...puts(template('main.hbs', '{{> part.hbs}}'))),
  ).toEqual(['render-failed documents/0/spec/syntax']);
});

it('[2 bad input] a pattern that is no regular expression is refused where it stands', () => {
  const parameters = { user: { type: 'string', default: 'root', pattern: '(' } };
  expect(problems(basics(), ...puts(policy('other', { parameters })))).toEqual([
    'invalid-document documents/0/spec/parameters/user/pattern',
  ]);
});

it('[2 bad input] two policies of a node that write one path are refused', () => {
  const linked = (name: string) =>
    policy(name, { files: [{ template: 'main.hbs', path: 'f', link: '/etc/x.conf' }] });
  expect(problems([...basics(), linked('one')], ...puts(linked('two')))).toEqual([
    'path-conflict documents/0/spec/files/0/link',
  ]);
  const twice = policy('twice', {
    files: [
      { template: 'main.hbs', path: 'f' },
      { template: 'main.hbs', path: 'f' },
    ],
  });
  expect(problems(basics(), ...puts(twice))).toHaveLength(1);
});

it('[2 bad input] two policies of a node that claim one service, or one address and port, are refused', () => {
  const listening = (name: string, address: string, port: string) =>
    policy(name, { listens: [{ address, port }] });
  const claimed = (first: Resource, second: Resource) => problems([...basics(), first], ...puts(second));
  expect(claimed(policy('one', daemon('nginx')), policy('two', daemon('nginx')))).toContain(
    'path-conflict documents/0/spec/service/name',
  );
  expect(claimed(listening('one', '127.0.0.1', '80'), listening('two', '127.0.0.1', '80'))).toEqual([
    'path-conflict documents/0/spec/listens/0',
  ]);
  expect(claimed(listening('one', '0.0.0.0', '80'), listening('two', '{{node.address}}', '80'))).toHaveLength(
    1,
  );
  expect(claimed(listening('one', '127.0.0.1', '80'), listening('two', '127.0.0.1', '81'))).toEqual([]);
});

it('[2 bad input] two virtual services that answer at one address and port are refused, as is one that does so twice', () => {
  const store = [...basics(), service('other', { vip: '192.0.2.11' })];
  expect(problems(store, ...puts(service('more', { ports: [443, 80] })))).toEqual([
    'address-conflict documents/0/spec/ports/1',
  ]);
  expect(problems(store, ...puts(service('other')))).toEqual(['address-conflict documents/0/spec/ports/0']);
  expect(
    problems(basics(), ...puts(service('web', { forwarding: 'NAT', ports: [80, { port: 80, target: 81 }] }))),
  ).toEqual(['address-conflict documents/0/spec/ports/1']);
  expect(problems(store, ...puts(service('more', { ports: [443] })))).toEqual([]);
  expect(problems(store, deletion('VirtualService', 'web'), ...puts(service('other')))).toEqual([]);
});

it('[3.5] a probe that cannot be tried is refused: of no port of the service, for no name, with TLS it has not', () => {
  const probing = (probe: object) =>
    problems(
      basics(),
      ...puts(
        service('web', {
          ports: [80, { port: 443, target: 8443 }],
          forwarding: 'NAT',
          pool: { role: 'web', check: 'http', probe },
        }),
      ),
    );
  const at = (field: string) => [`invalid-document documents/0/spec/pool/probe/${field}`];
  expect(probing({ port: 8443 })).toEqual(at('port'));
  expect(probing({ port: 443, type: 'https' })).toEqual([]);
  expect(probing({ type: 'dns' })).toEqual(at('query'));
  expect(probing({ type: 'dns', query: 'example.org' })).toEqual([]);
  for (const type of ['tcp', 'http', 'https', 'dns'])
    expect(probing({ type, query: 'example.org', tls: 'implicit' })).toEqual(at('tls'));
  for (const type of ['smtp', 'imap', 'pop3', 'ftp']) expect(probing({ type, tls: 'starttls' })).toEqual([]);
});

it('[2 bad input] claims are judged on each node with its own parameters, and on the defaults where a role has no node', () => {
  const at = (name: string, parameter: string, role: string, port: number) =>
    policy(name, {
      role,
      parameters: { [parameter]: { type: 'integer', default: port } },
      listens: [{ address: '{{node.address}}', port: `{{params.${parameter}}}` }],
    });
  const store = [...basics(), at('one', 'first', 'web', 80), at('two', 'second', 'web', 81)];
  expect(problems(store, ...puts(node('web2', { parameters: { first: 81 } })))).toEqual([
    'path-conflict documents/0/spec/roles',
  ]);
  expect(problems(store, ...puts(node('web2', { parameters: { first: 82 } })))).toEqual([]);
  expect(
    problems([template('main.hbs'), at('one', 'first', 'dns', 53)], ...puts(at('two', 'second', 'dns', 53))),
  ).toEqual(['path-conflict documents/0/spec/listens/0']);
  const both = [...basics(), at('one', 'first', 'web', 80), at('two', 'second', 'mail', 80)];
  expect(problems(both, ...puts(node('web1', { roles: ['web', 'mail'] })))).toEqual([
    'path-conflict documents/0/spec/roles',
  ]);
});

it('[4.8] a policy that lets nodes choose it by a parameter that it lacks, or by a value that none can have, is refused', () => {
  const parameters = { server: { type: 'string', default: 'a', pattern: '^[ab]$' } };
  const withChoice = (choice: object) =>
    problems(basics(), ...puts(policy('other', { parameters, when: { parameters: choice } })));
  expect(withChoice({ server: 'b' })).toEqual([]);
  expect(withChoice({ server: 'c' })).toEqual(['invalid-document documents/0/spec/when/parameters/server']);
  expect(withChoice({ nobody: 'b' })).toEqual(['invalid-document documents/0/spec/when/parameters/nobody']);
});

it('[2 bad input] a parameter that no policy of the roles declares, or of another type, is refused', () => {
  const store = [
    ...basics(),
    policy('ports', { parameters: { port: { type: 'integer', default: 80, maximum: 1000 } } }),
  ];
  expect(problems(store, ...puts(node('web2', { parameters: { prot: 80 } })))).toEqual([
    'invalid-document documents/0/spec/parameters/prot',
  ]);
  expect(problems(store, ...puts(node('web2', { parameters: { port: 'eighty' } })))).toEqual([
    'invalid-document documents/0/spec/parameters/port',
  ]);
  expect(problems(store, ...puts(node('web2', { parameters: { port: 8080 } })))).toEqual([
    'invalid-document documents/0/spec/parameters/port',
  ]);
  expect(problems(store, ...puts(node('web2', { parameters: { port: 81 } })))).toEqual([]);
  const set = [...store, node('web2', { parameters: { port: 81 } })];
  expect(problems(set, deletion('Policy', 'ports'))).toHaveLength(1);
  expect(
    problems(set, ...puts(policy('ports', { parameters: { port: { type: 'string', default: 'x' } } }))),
  ).toHaveLength(1);
});

it('[2 bad input] an expression that cannot be rendered is refused with the policy that has it', () => {
  expect(
    problems(
      basics(),
      ...puts(policy('two', { listens: [{ address: '127.0.0.1', port: '{{params.nowhere}}' }] })),
    ),
  ).toEqual(['render-failed documents/0']);
});

it('[2 bad input] reports every problem of a request at once', () => {
  const found = problems(
    basics(),
    ...puts(
      site('a.example.org', { aliases: ['b.example.org'] }),
      site('b.example.org'),
      policy('two', { files: [{ template: 'gone.hbs', path: 'f' }] }),
    ),
    deletion('Cluster', 'cluster'),
  );
  expect(found).toEqual([
    'dangling-reference documents/2/spec/files/0/template',
    'duplicate-domain documents/1/name',
    'still-referenced ',
  ]);
});

it('[5.1] an action has one way to be done, words that name its parameters, and rules that its own defaults fit', () => {
  const action = (spec: object, name = 'a') => ({ kind: 'Action', name, spec }) as unknown as Resource;
  const of = (spec: object) =>
    problems([], ...puts(action({ parameters: {}, roles: [], idempotent: true, ...spec })));
  const text = { type: 'text', maxLength: 9, dash: false, secret: false };
  const list = { type: 'list', maxLength: 9, dash: false, minItems: 0, maxItems: 9 };
  expect(of({ run: ['true'] })).toEqual([]);
  expect(of({})).toEqual(['invalid-document documents/0/spec/run']);
  expect(of({ run: ['true'], do: 'reboot' })).toEqual(['invalid-document documents/0/spec/run']);
  expect(of({ do: 'reboot', unless: ['true'] })).toEqual(['invalid-document documents/0/spec/do']);
  expect(of({ run: ['x', '{{gone}}'] })).toEqual(['invalid-document documents/0/spec/run/1']);
  expect(of({ run: ['x'], input: '{{gone}}' })).toEqual(['invalid-document documents/0/spec/input']);
  expect(of({ run: ['{{x}}'], parameters: { x: text } })).toEqual([
    'invalid-document documents/0/spec/run/0',
  ]);
  expect(of({ run: ['x', '-{{x}}'], parameters: { x: list } })).toEqual([
    'invalid-document documents/0/spec/run/1',
  ]);
  expect(of({ run: ['x'], parameters: { x: { ...text, pattern: '(' } } })).toEqual([
    'invalid-document documents/0/spec/parameters/x/pattern',
  ]);
  expect(of({ run: ['x'], parameters: { x: { ...text, default: '-x' } } })).toEqual([
    'invalid-document documents/0/spec/parameters/x/default',
  ]);
  expect(of({ run: ['x', '{{constructor}}'] })).toEqual(['invalid-document documents/0/spec/run/1']);
  // Who may only look reads what is declared.
  expect(of({ run: ['x'], parameters: { x: { ...text, secret: true, default: 'geheim' } } })).toEqual([
    'invalid-document documents/0/spec/parameters/x/default',
  ]);
  expect(of({ run: ['x'], undo: { action: 'gone', parameters: {} } })).toEqual([
    'dangling-reference documents/0/spec/undo/action',
  ]);
});

it('[5.6] a schedule has a line, a zone and a place that mean something, and an action that it can run', () => {
  const text = { type: 'text', maxLength: 9, dash: false };
  const action = (parameters: object) =>
    ({
      ...{ kind: 'Action', name: 'a' },
      spec: { run: ['true'], parameters, roles: [], idempotent: true },
    }) as unknown as Resource;
  const schedule = (spec: object = {}) =>
    ({
      ...{ kind: 'Schedule', name: 's' },
      spec: { action: 'a', parameters: {}, on: 'web', cron: '0 3 * * *', timeZone: 'UTC', ...spec },
    }) as unknown as Resource;
  const box = node('web1');
  const of = (spec: object, ...more: Resource[]) =>
    problems([box, action({ x: { ...text, default: 'x' } })], ...puts(schedule(spec), ...more));
  expect(of({})).toEqual([]);
  expect(of({ on: 'all', jitter: '24h', timeZone: 'Europe/Berlin', parameters: { x: 'y' } })).toEqual([]);
  expect(of({ on: 'web1' })).toEqual([]);
  expect(of({ cron: '61 * * * *', timeZone: 'Berlin', jitter: '25h', on: 'wbe' })).toEqual([
    'invalid-document documents/0/spec/cron',
    'invalid-document documents/0/spec/jitter',
    'invalid-document documents/0/spec/on',
    'invalid-document documents/0/spec/timeZone',
  ]);
  expect(of({ parameters: { x: '-x', y: 1 } })).toEqual([
    'invalid-document documents/0/spec/parameters/x',
    'invalid-document documents/0/spec/parameters/y',
  ]);
  expect(of({ action: 'gone' })).toEqual(['dangling-reference documents/0/spec/action']);
  expect(of({ action: 'b' }, { ...action({}), name: 'b' } as Resource)).toEqual([]);
});

it('[5.6] a schedule gives no secret, and its action can neither go nor change so that it cannot be run any more', () => {
  const action = (parameters: object) =>
    ({
      ...{ kind: 'Action', name: 'a' },
      spec: { run: ['true'], parameters, roles: [], idempotent: true },
    }) as unknown as Resource;
  const schedule = (parameters: object = {}) =>
    ({
      ...{ kind: 'Schedule', name: 's' },
      spec: { action: 'a', parameters, on: 'all', cron: '0 3 * * *', timeZone: 'UTC' },
    }) as unknown as Resource;
  const secret = { type: 'text', maxLength: 9, dash: false, secret: true };
  expect(problems([action({ x: secret })], ...puts(schedule({ x: 'geheim' })))).toEqual([
    'invalid-document documents/0/spec/parameters/x',
  ]);
  expect(problems([action({ x: secret })], ...puts(schedule()))).toEqual([
    'invalid-document documents/0/spec/parameters/x',
  ]);
  expect(problems([action({ x: { ...secret, default: '' } })], ...puts(schedule()))).toEqual([]);
  const there = [action({}), schedule()];
  expect(problems(there, deletion('Action', 'a'))).toEqual(['still-referenced ']);
  expect(problems(there, deletion('Action', 'a'), deletion('Schedule', 's'))).toEqual([]);
  expect(problems(there, ...puts(action({ x: { ...secret, secret: false } })))).toEqual([
    'still-referenced documents/0/spec/parameters',
  ]);
  expect(problems(there, ...puts(action({ x: { ...secret, secret: false } }), schedule({ x: 'y' })))).toEqual(
    [],
  );
});

it('[5.4] neither a node nor a role is named all, which means every node wherever nodes are selected', () => {
  expect(problems([], ...puts(node('all')))).toEqual(['invalid-document documents/0/name']);
  expect(problems([], ...puts(node('n1', { roles: ['web', 'all'] })))).toEqual([
    'invalid-document documents/0/spec/roles/1',
  ]);
  expect(problems([], ...puts(node('all1', { roles: ['all-web'] })))).toEqual([]);
});
