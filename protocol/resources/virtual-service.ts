/** VirtualService: an address and ports at the balancer, and the pool of nodes that answers for it. */
import { type Static, Type } from 'typebox';
import {
  ByName,
  DnsName,
  DomainOrWildcard,
  Duration,
  IPv4,
  IPv6,
  Name,
  OneOf,
  Port,
  Strict,
  UrlPath,
  Wait,
} from '../values.ts';

export const VirtualServiceName = Name;

const withDefault = (schema: { type: 'string'; description?: string }, value: string) =>
  Type.Unsafe<string>({ ...schema, default: value });

/** Not at all, by a command of the protocol, or from the first byte. */
export const tlsModes = ['none', 'starttls', 'implicit'] as const;
/** What a DNS server can be asked for. */
export const dnsRecords = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'] as const;

/** How a director tries a member through the data path. */
export const Probe = Strict(
  {
    type: OneOf(['tcp', 'http', 'https', 'smtp', 'imap', 'pop3', 'ftp', 'dns'], { default: 'tcp' }),
    port: Type.Optional(
      Type.Unsafe<number>({ ...Port, description: 'The port of the service that it is for; else the first' }),
    ),
    host: Type.Optional(
      Type.Unsafe<string>({ ...DomainOrWildcard, description: 'The site that is asked for, also by TLS' }),
    ),
    path: Type.Unsafe<string>({ ...UrlPath, default: '/' }),
    tls: OneOf([...tlsModes], {
      default: 'none',
      description:
        'For smtp, imap, pop3 and ftp. A probe takes any certificate, also by https: it asks whether a member serves. The checks of policies verify',
    }),
    query: Type.Optional(
      Type.Unsafe<string>({ ...DnsName, description: 'For dns: the name that is asked for' }),
    ),
    record: OneOf([...dnsRecords], { default: 'A', description: 'For dns' }),
    interval: withDefault(Wait, '1s'),
    timeout: withDefault(Wait, '500ms'),
    fall: Type.Integer({ minimum: 1, maximum: 100, default: 2 }),
    rise: Type.Integer({ minimum: 1, maximum: 100, default: 3 }),
  },
  { default: {} },
);
export type Probe = Static<typeof Probe>;

export const VirtualServiceSpec = Strict({
  vip: Type.Union([IPv4, IPv6], { description: 'The address that visitors use, at the balancer' }),
  ports: Type.Array(Strict({ port: Port, target: Port }), {
    minItems: 1,
    maxItems: 64,
    description: 'Port at the balancer and port at the node; a plain number means the same at both',
  }),
  groupPorts: Type.Boolean({
    default: false,
    description:
      'LVS: all ports are one service by a firewall mark, so that a visitor meets the same member at each',
  }),
  protocol: OneOf(['http', 'tcp', 'udp'], {
    default: 'http',
    description: 'What the balancer may assume about the traffic',
  }),
  scheduler: OneOf(['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'dh', 'sed', 'nq', 'mh'], {
    default: 'wlc',
    description: 'How the next member is chosen, by its name in LVS; HAProxy takes its nearest',
  }),
  forwarding: OneOf(['DR', 'NAT', 'TUN'], {
    default: 'DR',
    description: 'How LVS hands packets on; other drivers always proxy',
  }),
  persistence: Type.Optional(
    Strict(
      {
        seconds: Type.Integer({ minimum: 1, maximum: 86_400 }),
        prefix: Type.Optional(
          Type.Integer({
            minimum: 1,
            maximum: 128,
            description: 'LVS: visitors whose addresses share so many leading bits count as one',
          }),
        ),
      },
      { description: 'A visitor stays with one member for so long' },
    ),
  ),
  pool: Strict({
    role: Name,
    check: Type.Union([Name], { description: 'The check of the policies of that role that must pass' }),
    minMembers: Type.Integer({
      minimum: 0,
      maximum: 1000,
      default: 1,
      description: 'Reports never bring the pool below this',
    }),
    slowStart: withDefault(
      { ...Duration, description: 'How long the weight of a member that came back rises to its own' },
      '0s',
    ),
    holdDown: Strict(
      { first: withDefault(Duration, '10s'), cap: withDefault(Duration, '5m') },
      {
        default: {},
        description:
          'How long a member that fell again within ten minutes must be well before it is back: twice as long each time, up to the cap',
      },
    ),
    probe: Probe,
  }),
  weights: ByName(Name, Type.Integer({ minimum: 0, maximum: 256 }), {
    default: {},
    description: 'By node; else the weight of the Node',
  }),
  fallback: Type.Union(
    [Type.Literal('manager'), Type.Literal('none'), Strict({ address: IPv4, port: Port })],
    { default: 'manager', description: 'Who answers when no member is left' },
  ),
});
export type VirtualServiceSpec = Static<typeof VirtualServiceSpec>;
