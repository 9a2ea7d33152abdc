/** Targets: which probe of a director each port of a service gets. */
import { describe, expect, it } from 'vitest';
import { targetsOf } from '../../agent/balance/targets.ts';
import type { ResourceOf } from '../../protocol/resource.ts';
import { node, service } from './store/declared.ts';

const member = (spec: object = {}) => node('web1', spec) as ResourceOf<'Node'>;
const asked = (probe: object, more: object = {}, of = member()) => {
  const spec = { ports: [80, { port: 443, target: 8443 }], ...more };
  const pool = { role: 'web', check: 'http', probe };
  return targetsOf(service('web', { ...spec, pool }) as ResourceOf<'VirtualService'>, of);
};
const types = (...made: Parameters<typeof asked>) =>
  asked(...made).map(({ name, type }) => `${name} ${type}`);

describe('[3.5] the probe of a director', () => {
  it('is for the first port, or for the one it names; the others have to accept', () => {
    expect(types({})).toEqual(['web1:80 tcp', 'web1:8443 tcp']);
    expect(types({ type: 'http' })).toEqual(['web1:80 http', 'web1:8443 tcp']);
    expect(types({ type: 'https', port: 443 })).toEqual(['web1:80 tcp', 'web1:8443 https']);
  });

  it('speaks what it is told to, and takes any certificate: it asks whether a member serves', () => {
    expect(asked({ type: 'https', host: 'www.example.org', path: '/alive' })[0]).toMatchObject({
      type: 'https',
      host: 'www.example.org',
      path: '/alive',
      certificate: 'any',
    });
    for (const type of ['smtp', 'imap', 'pop3', 'ftp'])
      expect(asked({ type, tls: 'starttls' })[0]).toMatchObject({
        type,
        tls: 'starttls',
        certificate: 'any',
      });
    expect(asked({ type: 'http' })[0]).not.toHaveProperty('certificate');
  });

  it('asks the DNS over what the service is balanced over', () => {
    const probe = { type: 'dns', query: 'example.org', record: 'SOA' };
    const ports = { ports: [53] };
    const wanted = { type: 'dns', query: 'example.org', record: 'SOA', port: 53 };
    expect(asked(probe, { ...ports, protocol: 'udp' })).toMatchObject([{ ...wanted, transport: 'udp' }]);
    expect(asked(probe, { ...ports, protocol: 'tcp' })).toMatchObject([{ ...wanted, transport: 'tcp' }]);
  });

  it('knocks at no UDP port: what is sent there may go unanswered', () => {
    expect(asked({}, { protocol: 'udp' })).toEqual([]);
    expect(types({ type: 'dns', query: 'example.org' }, { protocol: 'udp' })).toEqual(['web1:80 dns']);
  });

  it('leaves the data ports of FTP alone: nobody listens there until a visitor comes', () => {
    expect(types({ type: 'ftp' })).toEqual(['web1:80 ftp']);
  });

  it('goes to the IPv6 address of a member where visitors come to one', () => {
    const both = member({ address: '192.0.2.21', address6: '2001:db8::21' });
    expect(asked({}, {}, both)[0]).toMatchObject({ address: '192.0.2.21' });
    expect(asked({}, { vip: '2001:db8::10' }, both)[0]).toMatchObject({ address: '2001:db8::21' });
  });
});
