/** Policy: one unit of convergence on the nodes of a role: inputs, files, how to check, load, verify and watch them. */
import { type Static, Type } from 'typebox';
import {
  AbsolutePath,
  ByName,
  Identifier,
  ModuleName,
  Name,
  OneOf,
  PackageName,
  ParameterValue,
  RelativePath,
  Size,
  Strict,
  Wait,
} from '../values.ts';
import { balancers } from './cluster.ts';
import { dnsRecords, tlsModes } from './virtual-service.ts';

export const PolicyName = Name;

/** Text with `{{...}}` of the policy's own context (node, params, run, log, tree, digest, input counts). No control characters. */
const Expression = Type.String({
  minLength: 1,
  maxLength: 2048,
  pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$',
  description: 'Text with {{...}}',
  'x-rule': 'A text of one line',
  'x-fix': 'write one line without control characters',
});
const mode = (value: string) =>
  Type.String({
    pattern: '^0[0-7]{3}$',
    default: value,
    description: 'A file mode',
    'x-rule': 'A file mode',
    'x-fix': 'use four octal digits of which the first is 0, such as 0644',
  });
const Command = Type.Array(Expression, {
  minItems: 1,
  maxItems: 64,
  description: 'An argument list; never a shell line',
});
const Pattern = Type.String({ minLength: 1, maxLength: 1024, description: 'A regular expression' });
const duration = (value: string) => Type.Unsafe<string>({ ...Wait, default: value });
const Signal = OneOf(['HUP', 'USR1', 'USR2', 'WINCH', 'TERM', 'QUIT', 'INT', 'KILL']);

const Packages = Type.Array(PackageName, { default: [], maxItems: 64 });

/** So many lines of a kernel file are read: each is a look at the kernel, again and again. */
export const MOST_KERNEL_LINES = 4096;

/** One file, or one file for each shard of an input's items. */
export const PolicyFile = Strict({
  template: RelativePath,
  path: Type.Union([Expression], {
    description: 'Below the unit; {{name}} or {{shard}} where there is one file an item or a shard',
  }),
  for: Type.Optional(
    Type.Union([Identifier], {
      description: 'An input: the template is rendered once for each of its items',
    }),
  ),
  shards: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 4096,
      description: 'Group the items into this many files by a stable hash of the name',
    }),
  ),
  mode: mode('0644'),
  link: Type.Optional(
    Type.Union([AbsolutePath], { description: 'A fixed place that gets a link into the active tree' }),
  ),
});
export type PolicyFile = Static<typeof PolicyFile>;

const timing = {
  name: Name,
  for: Type.Optional(
    Type.Union([Identifier], {
      description:
        'An input: one check for each of its items, named `<name>.<item>`, with the item in its expressions',
    }),
  ),
  interval: duration('1s'),
  timeout: duration('500ms'),
  fall: Type.Integer({ minimum: 1, maximum: 100, default: 2 }),
  rise: Type.Integer({ minimum: 1, maximum: 100, default: 3 }),
  gate: Type.Optional(
    Type.Boolean({
      description: 'A node is in no pool of the role while this fails; else only in none that names it',
    }),
  ),
};
const httpFields = {
  address: Type.Unsafe<string>({ ...Expression, default: '{{node.address}}' }),
  port: Expression,
  host: Type.Optional(Expression),
  path: Type.Unsafe<string>({ ...Expression, default: '/' }),
  status: Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), { default: [200], minItems: 1 }),
  body: Type.Optional(Pattern),
};
const ca = Type.Optional(
  Type.Union([Expression], {
    description:
      'A file of authorities that vouch for the certificate; without it the public ones. What does not verify fails',
  }),
);
const talk = <const Kind extends string>(type: Kind) =>
  Strict({
    type: Type.Literal(type),
    ...timing,
    address: Type.Unsafe<string>({ ...Expression, default: '{{node.address}}' }),
    port: Expression,
    tls: OneOf([...tlsModes], { default: 'none', description: 'From the start, or by a command' }),
    host: Type.Optional(
      Type.Union([Expression], { description: 'The name in the certificate; without it the address' }),
    ),
    ca,
  });
const percent = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: 100, description }));
/** A check: one probe and its hysteresis. Expressions are rendered with the policy's context. */
export const CheckSpec = Type.Union([
  Strict({
    type: Type.Literal('tcp'),
    ...timing,
    address: Type.Unsafe<string>({ ...Expression, default: '{{node.address}}' }),
    port: Expression,
  }),
  Strict({ type: Type.Literal('http'), ...timing, ...httpFields }),
  Strict({ type: Type.Literal('https'), ...timing, ...httpFields, ca }),
  talk('smtp'),
  talk('imap'),
  talk('pop3'),
  talk('ftp'),
  Strict({
    type: Type.Literal('dns'),
    ...timing,
    address: Type.Unsafe<string>({ ...Expression, default: '{{node.address}}' }),
    port: Type.Unsafe<string>({ ...Expression, default: '53' }),
    transport: OneOf(['udp', 'tcp'], { default: 'udp' }),
    query: Type.Union([Expression], { description: 'The name that is asked for' }),
    record: OneOf([...dnsRecords], { default: 'A' }),
    expect: Type.Optional(
      Type.Union([Expression], {
        description: 'One of the answers, as `dig +short` writes it; without it any answer without an error',
      }),
    ),
  }),
  Strict({ type: Type.Literal('process'), ...timing, pidFile: Expression }),
  Strict({ type: Type.Literal('command'), ...timing, run: Command }),
  Strict({ type: Type.Literal('mount'), ...timing, path: Expression }),
  Strict({
    type: Type.Literal('disk'),
    ...timing,
    path: Expression,
    freeBytes: Type.Optional(
      Type.Unsafe<string>({ ...Size, description: 'At least so much is left for those who are not root' }),
    ),
    freePercent: percent('At least so much is left; 5 when no freeBytes are asked for'),
    freeInodesPercent: percent('At least so many of the inodes are left; else 5'),
  }),
  Strict(
    { type: Type.Literal('kernel'), ...timing },
    { description: 'All that the policy asks of the kernel is so' },
  ),
]);
export type CheckSpec = Static<typeof CheckSpec>;

export const PolicySpec = Strict({
  role: Name,
  when: Type.Optional(
    Strict(
      {
        balancer: Type.Optional(
          Type.Array(OneOf([...balancers]), {
            minItems: 1,
            uniqueItems: true,
            description: 'Only in a cluster whose balancer is one of these',
          }),
        ),
        parameters: Type.Optional(
          ByName(Identifier, ParameterValue, {
            description:
              'Only on nodes for which these parameters, which the policy declares, have these values',
          }),
        ),
      },
      { description: 'Where the policy holds; without it, on every node of its role' },
    ),
  ),
  packages: Type.Optional(
    Strict(
      { debian: Packages, rhel: Packages },
      {
        description:
          'What its daemon comes in: the installer installs it, and preflight names what is missing',
      },
    ),
  ),
  modules: Type.Optional(
    Type.Array(ModuleName, {
      maxItems: 32,
      description: 'What the kernel of the box must be able to: preflight looks for them',
    }),
  ),
  gate: Type.Boolean({
    default: false,
    description:
      'A node is in no pool of this role while a check of this policy fails or its unit has failed',
  }),
  mode: OneOf(['enforce', 'audit', 'hold'], {
    default: 'enforce',
    description: 'The stricter of this and the mode of the node wins',
  }),
  inputs: ByName(
    Identifier,
    Strict({
      kind: OneOf(['Site', 'VirtualService', 'Storage', 'Node', 'Cluster']),
      role: Type.Optional(Type.Union([Name], { description: 'For nodes: only those of this role' })),
    }),
    { default: {} },
  ),
  parameters: ByName(
    Identifier,
    Strict({
      type: OneOf(['string', 'integer', 'boolean']),
      default: ParameterValue,
      pattern: Type.Optional(Pattern),
      minimum: Type.Optional(Type.Integer()),
      maximum: Type.Optional(Type.Integer()),
      description: Type.Optional(Expression),
    }),
    {
      default: {},
      description: 'What nodes may set; a node parameter that no policy of its roles declares is refused',
    },
  ),
  files: Type.Array(PolicyFile, { minItems: 1, maxItems: 64 }),
  directories: Type.Array(
    Strict({
      path: Expression,
      mode: mode('0755'),
      owner: Type.Optional(Expression),
    }),
    {
      default: [],
      maxItems: 64,
      description: 'Made before the service starts: temporary and log folders',
    },
  ),
  expects: Type.Optional(
    Type.Array(
      Strict({
        for: Type.Union([Identifier], { description: 'An input' }),
        directory: Type.Union([Identifier], { description: 'The field of its items that names a directory' }),
      }),
      {
        maxItems: 16,
        description:
          'What should lie on a node and is not made: what is missing is a warning, and holds nothing back',
      },
    ),
  ),
  validate: Type.Optional(
    Strict({
      run: Command,
      culprit: Type.Optional(
        Type.Union([Pattern], {
          description: 'With the groups `file` and `line`: where the message says the mistake is',
        }),
      ),
      passes: Type.Optional(
        Type.Union([Pattern], {
          description:
            'The tree has passed when this is found in what was said, and only then; else by status 0',
        }),
      ),
      message: Type.Optional(
        Type.Union([Pattern], {
          description: 'What of its words people read: the first match, its named groups joined by a colon',
        }),
      ),
      timeout: duration('60s'),
    }),
  ),
  service: Type.Optional(
    Strict({
      name: Name,
      start: Command,
      reload: Type.Union([Strict({ signal: Signal }), Strict({ run: Command })]),
      stop: Type.Union([Strict({ signal: Signal }), Strict({ run: Command })], {
        default: { signal: 'TERM' },
      }),
      pidFile: Expression,
      foreground: Type.Optional(
        Type.Boolean({ description: 'It stays in the foreground and writes no pid file: the agent does' }),
      ),
      sockets: Type.Array(Expression, {
        default: [],
        maxItems: 16,
        description: 'Unix sockets a killed daemon leaves behind; removed before a start',
      }),
      timeout: duration('30s'),
    }),
  ),
  kernel: Type.Optional(
    Type.Unsafe<string>({
      ...RelativePath,
      description:
        'The file of the policy whose lines say what the kernel of the box is to hold: addresses, settings, routes, mounts',
    }),
  ),
  listens: Type.Array(Strict({ address: Expression, port: Expression }), {
    default: [],
    maxItems: 64,
    description: 'What the service listens on: two policies of one node may not claim the same',
  }),
  loaded: Type.Optional(
    Type.Union(
      [
        Strict({
          http: Type.Union([Expression], {
            description: 'http://host:port/path or unix:/socket:/path that answers with the digest',
          }),
        }),
        Strict({ socket: Expression, send: Expression, expect: Expression }),
        Strict({
          file: Type.Union([Expression], {
            description:
              'A file with {{digest}} in its name that the daemon makes once it has loaded the tree',
          }),
        }),
      ],
      { description: 'How the daemon itself shows which tree it serves' },
    ),
  ),
  verify: Strict({ deadline: duration('10s') }, { default: {} }),
  checks: Type.Array(CheckSpec, { default: [], maxItems: 32 }),
});
export type PolicySpec = Static<typeof PolicySpec>;
