/** Resolving: a policy's expressions become values of the right type, or an error that names the expression. */
import { describe, expect, it } from 'vitest';
import { nodeContext, parameterProblems } from '../../../common/render/context.ts';
import { expression } from '../../../common/render/expression.ts';
import {
  resolveChecks,
  resolveDirectories,
  resolveListens,
  resolveLoaded,
  resolvePaths,
  resolveService,
  resolveValidate,
} from '../../../common/render/resolve.ts';
import { renderUnit } from '../../../common/render/unit.ts';
import { inputsOf, node, policy, site, templates } from './declared.ts';

const timing = { interval: '2s', timeout: '250ms', fall: 3, rise: 4 };
const times = { interval: 2000, timeout: 250, fall: 3, rise: 4 };
const full = (spec: object = {}) =>
  policy({
    parameters: { port: { type: 'integer', default: 8080 } },
    validate: {
      run: ['check', '-c', '{{tree}}/main.conf'],
      culprit: '(?<file>/[^:]+):(?<line>[0-9]+)',
      timeout: '5s',
    },
    service: {
      name: 'pages',
      start: ['pages', '{{current}}/main.conf'],
      reload: { signal: 'HUP' },
      stop: { run: ['pages', 'stop', '{{unit}}'] },
      pidFile: '{{run}}/pages.pid',
      sockets: ['{{run}}/pages.sock'],
    },
    listens: [{ address: '{{node.address}}', port: '{{params.port}}' }],
    directories: [{ path: '{{log}}/{{unit}}', mode: '0750', owner: 'www-data' }],
    ...spec,
  });
const contextOf = (of = full()) => renderUnit(inputsOf([site('a.example')], templates, of)).context;

describe('[2.6] a policy, resolved', () => {
  it('gives service, validate, directories, listeners and places of its own', () => {
    const context = contextOf();
    expect(resolveService(full(), context)).toEqual({
      name: 'pages',
      start: ['pages', '/var/lib/evenkeel/units/pages/current/main.conf'],
      reload: { signal: 'SIGHUP' },
      stop: { run: ['pages', 'stop', 'pages'] },
      pidFile: '/run/evenkeel/pages.pid',
      sockets: ['/run/evenkeel/pages.sock'],
      timeout: 30_000,
    });
    const validate = resolveValidate(full(), context);
    expect(validate?.run).toEqual(['check', '-c', `${context.tree}/main.conf`]);
    expect(validate?.timeout).toBe(5000);
    expect(validate?.culprit?.exec('bad at /x/y.conf:12')?.groups).toEqual({ file: '/x/y.conf', line: '12' });
    expect(resolveDirectories(full(), context)).toEqual([
      { path: '/var/log/evenkeel/pages', mode: 0o750, owner: 'www-data' },
    ]);
    expect(resolveListens(full(), node())).toEqual([{ address: '127.0.0.11', port: 8080 }]);
    expect(resolveListens(full(), node({ parameters: { port: 81 } }))[0]?.port).toBe(81);
    expect(resolvePaths(full(), node())).toEqual(['/run/evenkeel/pages.pid', '/run/evenkeel/pages.sock']);
  });

  it('[3.7] gives a check for each item of an input, by its name and with it in the expressions', () => {
    const checks = [{ name: 'root', for: 'sites', type: 'mount', path: '{{spec.root}}', ...timing }];
    const of = full({ checks });
    const context = renderUnit(inputsOf([site('b.example'), site('a.example')], templates, of)).context;
    expect(resolveChecks(of, context)).toEqual([
      { name: 'root.a.example', ...times, type: 'mount', path: '/srv/sites/a.example' },
      { name: 'root.b.example', ...times, type: 'mount', path: '/srv/sites/b.example' },
    ]);
    const none = full({ checks: [{ name: 'root', for: 'nothing', type: 'mount', path: '/x', ...timing }] });
    expect(() => resolveChecks(none, context)).toThrow('none of its inputs');
  });

  it('gives every type of check, with durations in milliseconds and ports as numbers', () => {
    const checks = [
      { name: 'a', type: 'tcp', port: '{{params.port}}', ...timing },
      {
        name: 'b',
        type: 'http',
        port: '80',
        host: '{{node.name}}.example',
        path: '/x',
        body: '^ok',
        ...timing,
      },
      { name: 'c', type: 'https', port: '443', ca: '{{state}}/ca.crt', status: [200, 204], ...timing },
      { name: 'd', type: 'process', pidFile: '{{run}}/x.pid', ...timing },
      { name: 'e', type: 'command', run: ['test', '{{unit}}'], ...timing },
      { name: 'f', type: 'mount', path: '/srv', ...timing },
    ];
    const of = full({ checks });
    const at = { address: '127.0.0.11' };
    expect(resolveChecks(of, contextOf(of))).toEqual([
      { name: 'a', type: 'tcp', ...at, port: 8080, ...times },
      {
        name: 'b',
        type: 'http',
        ...at,
        port: 80,
        host: 'n1.example',
        path: '/x',
        status: [200],
        body: /^ok/,
        ...times,
      },
      {
        name: 'c',
        type: 'https',
        ...at,
        port: 443,
        path: '/',
        status: [200, 204],
        ca: '/var/lib/evenkeel/ca.crt',
        ...times,
      },
      { name: 'd', type: 'process', pidFile: '/run/evenkeel/x.pid', ...times },
      { name: 'e', type: 'command', run: ['test', 'pages'], ...times },
      { name: 'f', type: 'mount', path: '/srv', ...times },
    ]);
  });

  it('[3.5] gives the checks of mail and files, with their TLS and who vouches for it', () => {
    const checks = [
      { name: 'a', type: 'smtp', port: '25', ...timing },
      {
        name: 'b',
        type: 'imap',
        port: '993',
        tls: 'implicit',
        host: 'mail.{{node.name}}.example',
        ca: '{{state}}/ca.crt',
        ...timing,
      },
      { name: 'c', type: 'pop3', port: '110', tls: 'starttls', ...timing },
      { name: 'd', type: 'ftp', port: '21', ...timing },
    ];
    const of = full({ checks });
    const at = { address: '127.0.0.11' };
    expect(resolveChecks(of, contextOf(of))).toEqual([
      { name: 'a', type: 'smtp', ...at, port: 25, tls: 'none', ...times },
      {
        name: 'b',
        type: 'imap',
        ...at,
        port: 993,
        tls: 'implicit',
        host: 'mail.n1.example',
        ca: '/var/lib/evenkeel/ca.crt',
        ...times,
      },
      { name: 'c', type: 'pop3', ...at, port: 110, tls: 'starttls', ...times },
      { name: 'd', type: 'ftp', ...at, port: 21, tls: 'none', ...times },
    ]);
  });

  it('[3.5] gives the checks of names', () => {
    const checks = [
      { name: 'e', type: 'dns', query: '{{node.name}}.example', ...timing },
      { name: 'f', type: 'dns', transport: 'tcp', query: '.', record: 'NS', expect: 'a.example', ...timing },
    ];
    const of = full({ checks });
    const at = { address: '127.0.0.11' };
    expect(resolveChecks(of, contextOf(of))).toEqual([
      {
        name: 'e',
        type: 'dns',
        ...at,
        port: 53,
        transport: 'udp',
        query: 'n1.example',
        record: 'A',
        ...times,
      },
      {
        name: 'f',
        type: 'dns',
        ...at,
        port: 53,
        transport: 'tcp',
        query: '.',
        record: 'NS',
        expect: 'a.example',
        ...times,
      },
    ]);
  });

  it.each([
    [{}, { freeBytes: 0, freePercent: 5, freeInodesPercent: 5 }],
    [{ freeBytes: '2g' }, { freeBytes: 2 * 1024 ** 3, freePercent: 0, freeInodesPercent: 5 }],
    [
      { freePercent: 10, freeInodesPercent: 0 },
      { freeBytes: 0, freePercent: 10, freeInodesPercent: 0 },
    ],
  ])('[3.5] a disk check with %j asks for %j', (asked, wanted) => {
    const of = full({ checks: [{ name: 'disk', type: 'disk', path: '/srv', ...asked, ...timing }] });
    expect(resolveChecks(of, contextOf(of))).toEqual([
      { name: 'disk', type: 'disk', path: '/srv', ...wanted, ...times },
    ]);
  });

  it.each(['no name', 'a..b', '{{node.name}}@example', `${'a'.repeat(64)}.example`])(
    '[3.5] refuses to ask the DNS for %s',
    (query) => {
      const of = full({ checks: [{ name: 'dns', type: 'dns', query, ...timing }] });
      expect(() => resolveChecks(of, contextOf(of))).toThrow(/which is not a name in the DNS/);
    },
  );

  it('says where the daemon shows what it serves, and what it must say there', () => {
    const unix = full({ loaded: { http: 'unix:{{run}}/s.sock:/digest' } });
    const context = contextOf(unix);
    const expected = { expect: context.digest };
    expect(resolveLoaded(unix, context)).toEqual({
      type: 'http',
      socket: '/run/evenkeel/s.sock',
      path: '/digest',
      ...expected,
    });
    const tcp = full({ loaded: { http: 'http://{{node.address}}:81/digest' } });
    expect(resolveLoaded(tcp, context)).toEqual({
      type: 'http',
      address: '127.0.0.11',
      port: 81,
      path: '/digest',
      ...expected,
    });
    const socket = full({ loaded: { socket: '{{run}}/h.sock', send: 'show info', expect: 'is {{digest}}' } });
    expect(resolveLoaded(socket, context)).toEqual({
      type: 'socket',
      socket: '/run/evenkeel/h.sock',
      send: 'show info',
      expect: `is ${context.digest}`,
    });
    expect(resolveLoaded(full(), context)).toBeUndefined();
  });

  it.each([
    [
      'port',
      { checks: [{ name: 'a', type: 'tcp', port: '{{node.name}}' }] },
      '{{node.name}} gives "n1", which is not a port',
    ],
    ['port', { checks: [{ name: 'a', type: 'tcp', port: '70000' }] }, 'which is not a port'],
    [
      'place',
      { checks: [{ name: 'a', type: 'mount', path: '{{run}}/../x' }] },
      'which is not an absolute path',
    ],
    [
      'address',
      { checks: [{ name: 'a', type: 'tcp', address: 'a b', port: '1' }] },
      'which is not an address',
    ],
    ['body', { checks: [{ name: 'a', type: 'http', port: '1', body: '(' }] }, 'is not a regular expression'],
    ['name', { checks: [{ name: 'a', type: 'mount', path: '/{{params.absent}}' }] }, '"absent" is not there'],
  ])('refuses what does not come to a %s', (_, spec, message) => {
    const of = full(spec);
    expect(() => resolveChecks(of, contextOf(of))).toThrow(message);
  });

  it('refuses a witness that is no URL', () => {
    const of = full({ loaded: { http: 'ftp://x/' } });
    expect(() => resolveLoaded(of, contextOf(of))).toThrow('is neither http://host:port/path nor unix:');
  });
});

describe('[2 bad input] a parameter that a node sets', () => {
  const parameters = {
    port: { type: 'integer', default: 80, minimum: 1, maximum: 65535 },
    user: { type: 'string', default: 'www-data', pattern: '^[a-z-]+$' },
    on: { type: 'boolean', default: false },
  };
  const of = policy({ parameters });

  it('stands over the default', () => {
    expect(nodeContext(of, node({ parameters: { port: 81, on: true } })).params).toEqual({
      port: 81,
      user: 'www-data',
      on: true,
    });
  });

  it('is refused with its path when it does not fit the declaration', () => {
    const wrong = node({ parameters: { port: 0, user: 'A', on: 'yes' } });
    expect(parameterProblems(of, wrong).map(({ path, message }) => [path, message])).toEqual([
      ['Node/n1/spec/parameters/port', 'must be at least 1 (policy pages)'],
      ['Node/n1/spec/parameters/user', 'must match ^[a-z-]+$ (policy pages)'],
      ['Node/n1/spec/parameters/on', 'must be of type boolean (policy pages)'],
    ]);
    expect(() => nodeContext(of, wrong)).toThrow('Node/n1/spec/parameters/port must be at least 1');
  });
});

describe('an expression', () => {
  it('is its own text where it names nothing, and refuses control characters in what it names', () => {
    expect(expression('/plain', {})).toBe('/plain');
    expect(expression('{{a.b}}/c d', { a: { b: '/x y' } })).toBe('/x y/c d');
    expect(() => expression('{{a}}', { a: 'x\ny' })).toThrow('may not stand bare in plain syntax');
  });
});
