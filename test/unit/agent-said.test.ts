/** A checker's words as people read them: short, the same each time, and without the places of trees. */
import { describe, expect, it } from 'vitest';
import { saidOf } from '../../agent/converge/said.ts';
import { shipped } from './render/declared.ts';

const FOLDER = '/var/lib/evenkeel/units/u';
const TREE = `${FOLDER}/trees/${'ab'.repeat(32)}`;

async function said(policy: string, message: string) {
  const { message: pattern = '' } = (await shipped()).find('Policy', policy).spec.validate ?? {};
  const wanted = { validate: { run: [], timeout: 0, message: new RegExp(pattern) } };
  const pass = { unit: { trees: { folder: FOLDER } } };
  return saidOf(pass as Parameters<typeof saidOf>[0], wanted as never, message);
}

const MISSING = `2026/11/21 13:53:05 [emerg] 6155#6155: cannot load certificate "/etc/a.pem": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(/etc/a.pem, r) error:10000080:BIO routines::no such file)
nginx: configuration file ${TREE}/nginx.conf test failed`;

describe('[2 bad input] what a checker says is told', () => {
  const cases: [policy: string, message: string, reason: string][] = [
    ['web-nginx', MISSING, 'cannot load certificate "/etc/a.pem": No such file or directory'],
    [
      'web-nginx',
      `nginx: [warn] conflicting server name "a"\n2026/11/21 13:53:05 [emerg] 1#1: SSL_CTX_use_PrivateKey("/etc/a.key") failed (SSL: error:05800074:x509 certificate routines::key values mismatch)`,
      'SSL_CTX_use_PrivateKey("/etc/a.key"): key values mismatch',
    ],
    [
      'web-nginx',
      `nginx: [emerg] unknown directive "nonsense" in ${FOLDER}/files/sites/168@7fbbbeb02f659b79.conf:7`,
      'unknown directive "nonsense" in sites/168.conf:7',
    ],
    [
      'balancer-haproxy',
      `[NOTICE]   (77) : haproxy version is 2.6.12\n[ALERT]    (77) : config : parsing [${TREE}/haproxy.cfg:12] : unknown keyword 'nonsense' in 'listen' section`,
      "[haproxy.cfg:12] : unknown keyword 'nonsense' in 'listen' section",
    ],
    ['web-nginx', 'something nobody expected', 'something nobody expected'],
  ];
  it.each(cases)('by %s: %s', async (policy, message, reason) => {
    expect(await said(policy, message)).toEqual(
      reason === message ? { reason } : { reason, detail: message },
    );
  });
});
