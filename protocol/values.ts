/** The values that resources and messages are made of: names, domains, paths, times, sizes, addresses. */
import { type TSchema, Type } from 'typebox';

/** What is said beside a pattern, so that a refusal says the rule and the fix in words. Shown in OpenAPI as `x-rule` and `x-fix`. */
const text = (pattern: string, description: string, fix: string, maxLength = 253) =>
  Type.String({ pattern, description, maxLength, 'x-rule': description, 'x-fix': fix });

const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';

/** A resource, role, check or service name. */
export const Name = text(
  `^${label}(?:\\.${label})*$`,
  'A name',
  'use lower case letters, digits, dots and inner hyphens, at most 63 characters between dots',
);

/** A release, as its folder is named. */
export const ReleaseId = text(
  '^[0-9A-Za-z][0-9A-Za-z.+-]{0,119}$',
  'A release',
  'use a name that `evenkeel nodes` or `evenkeel state` shows, such as 0.1.0-3f2a91bc0d7e',
  120,
);

/** A DNS name in its ASCII form. */
export const Domain = text(
  `^(?:${label}\\.)+${label}$`,
  'A domain name',
  'use the lower case ASCII form, such as example.org or xn--bcher-kva.example',
);

/** A DNS name, or a wildcard of one level. */
export const DomainOrWildcard = text(
  `^(?:\\*\\.)?(?:${label}\\.)+${label}$`,
  'A domain name, or *. and a domain name',
  'use the lower case ASCII form, such as www.example.org or *.example.org',
);

/** A name that can be asked of a DNS server: of any depth, with underscores, or the root. */
export const dnsName = '^(?:\\.|(?=.{1,253}$)(?:[A-Za-z0-9_-]{1,63}\\.)*[A-Za-z0-9_-]{1,63}\\.?)$';
export const DnsName = text(
  dnsName,
  'A name in the DNS',
  'use labels of letters, digits, hyphens and underscores with dots between, or one dot for the root',
);

/** An absolute path without `.` or `..` parts and without characters that mean something to a daemon. */
export const AbsolutePath = text(
  '^(?:/(?!\\.{1,2}(?:/|$))[A-Za-z0-9._@+~=,-]+)+$',
  'An absolute path',
  'use an absolute path of letters, digits and . _ @ + ~ = , - without . or .. parts',
  1024,
);

/** A path below a folder that Evenkeel owns. */
export const RelativePath = text(
  '^(?!\\.{1,2}(?:/|$))[A-Za-z0-9._@+~=,-]+(?:/(?!\\.{1,2}(?:/|$))[A-Za-z0-9._@+~=,-]+)*$',
  'A relative path',
  'use a relative path of letters, digits and . _ @ + ~ = , - without . or .. parts',
  512,
);

/** A duration: whole number and unit. */
export const Duration = text(
  '^[0-9]{1,9}(?:ms|s|m|h|d)$',
  'A duration',
  'use a whole number and ms, s, m, h or d, such as 500ms or 30s',
  12,
);

/**
 * A duration that somebody waits out, or waits between two looks: never so short that nothing else is done, nor
 * longer than a timer can be.
 */
export const Wait = text(
  '^(?:[1-9][0-9]{1,8}ms|[1-9][0-9]{0,5}s|[1-9][0-9]{0,3}m|[1-9][0-9]?h|[1-9]d)$',
  'A duration from 10ms to 9d',
  'use a whole number and ms, s, m, h or d, such as 500ms or 30s: at least 10ms, at most 9d',
  12,
);

/** A size: whole number and binary unit. */
export const Size = text('^[0-9]{1,6}[kmg]$', 'A size', 'use a whole number and k, m or g, such as 32m', 8);

export const IPv4 = text(
  '^(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])$',
  'An IPv4 address',
  'use four numbers from 0 to 255 with dots between',
  15,
);

const v6group = '[0-9a-f]{1,4}';
const v6 = `(?:(?:${v6group}:){7}${v6group}|(?=[0-9a-f:]*::)(?!(?:[^:]*:){9})(?!.*::.*::)(?:${v6group}(?::${v6group}){0,6})?::(?:${v6group}(?::${v6group}){0,6})?)`;
/** Compressed at most once, in lower case: one spelling is one address to whoever compares them. */
export const IPv6 = text(
  `^${v6}$`,
  'An IPv6 address',
  'use lower case hexadecimal groups with colons between, such as 2001:db8::10',
  39,
);

export const Address = Type.Union([IPv4, IPv6], { description: 'An IPv4 or IPv6 address' });

const v4network =
  '(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])/(?:[12]?[0-9]|3[0-2])';

/** An IPv4 network: the address of the network itself and the length of its prefix. */
export const Network = text(
  `^${v4network}$`,
  'An IPv4 network',
  'use the address of the network and the length of its prefix, such as 10.0.0.0/24',
  18,
);

/** From where somebody may come. */
export const AddressRange = text(
  `^(?:${v4network}|${v6}/(?:[1-9]?[0-9]|1[01][0-9]|12[0-8]))$`,
  'A range of addresses',
  'use an address and the length of its prefix, such as 10.0.0.0/8 or 2001:db8::/32',
  43,
);

export const Port = Type.Integer({ minimum: 1, maximum: 65535, description: 'A port' });

/** The path of a URL: no quotes, spaces, dollars or braces, so that it is plain text to every daemon. */
export const UrlPath = text(
  '^/[A-Za-z0-9._~/%@+-]*$',
  'The path of a URL',
  'start with / and percent-encode everything unusual',
  1024,
);

/** Where a redirect leads. */
export const UrlOrPath = text(
  `^(?:https?://(?:${label}\\.)+${label}(?::[0-9]{1,5})?)?/[A-Za-z0-9._~/%@+?=&-]*$`,
  'A path, or an http(s) URL with a path',
  'use /path or https://example.org/path and percent-encode everything unusual',
  1024,
);

/** A parameter of a node or policy: what a template may safely be given. */
export const ParameterValue = Type.Union([
  text(
    '^[A-Za-z0-9_./:@=,+ -]*$',
    'A text parameter',
    'use letters, digits, spaces and _ . / : @ = , + -',
    512,
  ),
  Type.Integer(),
  Type.Boolean(),
]);

/** A name inside a policy: an input, a parameter. */
export const Identifier = text(
  '^[a-z][A-Za-z0-9]{0,62}$',
  'An identifier',
  'start with a lower case letter, then letters and digits',
  63,
);

/** A moment, ISO 8601 in UTC. */
export const Moment = text(
  '^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,3})?Z$',
  'A moment in UTC',
  'use ISO 8601 in UTC, such as 2026-11-21T09:00:00Z',
  24,
);

/** A SHA-256 in lower case hexadecimal. */
export const Sha256 = text('^[0-9a-f]{64}$', 'A SHA-256', 'use 64 lower case hexadecimal digits', 64);

/** A reason given by a person, for people. One line. */
/** As distributions name packages. */
export const PackageName = text(
  '^[A-Za-z0-9][A-Za-z0-9.+_-]{0,99}$',
  'The name of a package',
  'write it as the distribution does, such as nginx',
  100,
);

export const ModuleName = text(
  '^[a-z0-9][a-z0-9_-]{0,55}$',
  'The name of a kernel module',
  'write it as modprobe takes it, such as ip_vs',
  56,
);

export const Reason = text(
  '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$',
  'A reason, one line',
  'write one line without control characters',
  500,
);

/** A string that may only be one of a few. */
export const OneOf = <const T extends string[]>(
  values: [...T],
  options: { default?: T[number]; description?: string } = {},
) => Type.Unsafe<T[number]>({ type: 'string', enum: values, ...options });

/** An object that knows all its fields: an unknown one is refused. */
export const Strict = <T extends Record<string, TSchema>>(
  properties: T,
  options: Record<string, unknown> = {},
) => Type.Object(properties, { additionalProperties: false, ...options });

/** Values by name, where what does not fit as a name is refused and not passed over. */
export const ByName = <Value extends TSchema>(
  name: TSchema,
  value: Value,
  options: Record<string, unknown> = {},
) => Type.Record(name as typeof Name, value, { propertyNames: name, ...options });
