/** The checks of a box that look at others on it or beside it: who listens there, whose node it is, which doors answer. */
import { describe, expect, it } from 'vitest';
import { otherAgent } from '../../../agent/preflight/checks/other-agent.ts';
import { portsOut } from '../../../agent/preflight/checks/ports-out.ts';
import { portsTaken } from '../../../agent/preflight/checks/ports-taken.ts';
import { askedOf, boxOf, type Recorded, TCP6_APACHE } from './boxes.ts';

describe('[4.3] ports-taken', () => {
  const apache = (cgroup: string) =>
    portsTaken()(
      askedOf(
        {
          files: { '/proc/net/tcp6': TCP6_APACHE, '/proc/612/cgroup': cgroup },
          holders: { '21733': 'apache2 (pid 612)' },
        },
        { needs: { ports: [{ address: '*', port: 80, unit: 'web-nginx' }] } },
      ),
    );

  it('gives a command for the service that the process belongs to, and none for a process of no service', async () => {
    expect(await apache('0::/system.slice/httpd@a.service\n')).toMatchObject({
      command: 'systemctl disable --now httpd@a.service',
    });
    expect((await apache('0::/user.slice/user-0.slice/session-1.scope\n'))?.command).toBeUndefined();
    expect((await apache('0::/system.slice/$(reboot).service\n'))?.command).toBeUndefined();
  });
});

describe('[4.3] other-agent', () => {
  const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const kept = (ca: string): Recorded => ({
    files: {
      '/var/lib/evenkeel/identity/cert.pem': 'x',
      '/var/lib/evenkeel/identity/ca.pem': ca,
      '/var/lib/evenkeel/identity/manager.json': '{"node":"web1","address":"10.0.0.1"}',
    },
  });
  const judged = (recorded: Recorded) => otherAgent({ address: '10.0.0.9', ca: PEM })(askedOf(recorded));

  it('passes for a box of nobody, and for a node of the same manager', async () => {
    expect(await judged({})).toMatchObject({ state: 'pass', found: 'this box is no node yet' });
    expect(await judged(kept(`${PEM}${PEM.replace('AAAA', 'BBBB')}`))).toMatchObject({ state: 'pass' });
  });

  it('fails for a node of another manager, names it, and says how to leave', async () => {
    expect(await judged(kept(PEM.replace('AAAA', 'CCCC')))).toMatchObject({
      ...{ state: 'fail', found: 'this box is node web1 of the manager at 10.0.0.1' },
      command: 'sh /usr/lib/evenkeel/current/install.sh uninstall',
    });
  });
});

describe('[4.3] ports-out', () => {
  const doors = [
    { port: 8443, what: 'joining' },
    { port: 2400, what: 'desired state' },
  ];
  it('passes where every door answers, and fails with the port and the reason where one does not', async () => {
    expect(await portsOut(boxOf(), '10.0.0.1', doors)).toMatchObject({ state: 'pass' });
    expect(await portsOut(boxOf({ shut: { 2400: 'ECONNREFUSED' } }), '10.0.0.1', doors)).toMatchObject({
      ...{ state: 'fail', found: '10.0.0.1 does not answer at 2400 (desired state): ECONNREFUSED' },
    });
  });
});
