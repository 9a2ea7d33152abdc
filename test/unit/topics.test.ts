/** Who may say and hear what: properties of the table of topics, and of the broker's judgement that derives from it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMayReceive, judgePublish } from '../../manager/broker/authorize.ts';
import { mayPublish, maySubscribe, type Peer, scopesOf, TOPIC_ROOT, topicOf } from '../../protocol/topics.ts';

/** One for all tests, as one broker has it: what it knows of the message before must not tell in the next. */
const mayReceive = createMayReceive();
const names = fc.constantFrom('web1', 'web2', 'lb1', 'db.example');
const roleNames = fc.subarray(['web', 'balancer', 'storage']);
const anyPeer: fc.Arbitrary<Peer> = fc.record({ node: names, roles: roleNames });
const anyTopic = fc.oneof(
  names.map(topicOf.status),
  names.map(topicOf.beat),
  names.map(topicOf.report),
  names.map(topicOf.answer),
  names.map(topicOf.output),
  names.map(topicOf.receipt),
  names.map(topicOf.ask),
  names.map((name) => topicOf.head(`node/${name}`)),
  fc.constantFrom('cluster', 'role/web', 'role/balancer', 'role/storage').map(topicOf.head),
  fc.constantFrom(topicOf.pool('www'), topicOf.lease()),
);
const part = fc.oneof(names, fc.constantFrom('+', '#', '', '$SYS', 'node', 'head', 'role', 'status', 'pool'));
const anyFilter = fc
  .array(part, { minLength: 1, maxLength: 4 })
  .map((parts) => [TOPIC_ROOT, ...parts].join('/'));

/** As MQTT matches a topic against a filter. */
function matches(filter: string, topic: string): boolean {
  const [wanted, found] = [filter.split('/'), topic.split('/')];
  for (const [at, level] of wanted.entries()) {
    if (level === '#') return true;
    if (at >= found.length || (level !== '+' && level !== found[at])) return false;
  }
  return wanted.length === found.length;
}

describe('permissions', () => {
  it('[4] a node publishes under its own name alone', () => {
    fc.assert(
      fc.property(anyPeer, anyTopic, (peer, topic) => {
        const own = new RegExp(`^${TOPIC_ROOT}/node/${peer.node}/(status|beat|report|output|answer)$`);
        expect(mayPublish(peer, topic)).toBe(own.test(topic));
      }),
      { numRuns: 1000 },
    );
  });

  it('[4] no filter that is granted can match what another node says or is told', () => {
    fc.assert(
      fc.property(anyPeer, anyFilter, anyTopic, (peer, filter, topic) => {
        const [, other] = /\/node\/([^/]+)/.exec(topic) ?? [];
        if (!maySubscribe(peer, filter) || !matches(filter, topic)) return;
        if (other !== undefined) expect(other).toBe(peer.node);
        if (topic.includes('/pool/') || topic.endsWith('/lease')) expect(peer.roles).toContain('balancer');
        const [, role] = /\/head\/role\/([^/]+)$/.exec(topic) ?? [];
        if (role !== undefined) expect(peer.roles).toContain(role);
      }),
      { numRuns: 5000 },
    );
  });

  it('[4] a message is handed over only if it is the manager that says it, and to whom it is meant', () => {
    fc.assert(
      fc.property(anyPeer, anyTopic, (peer, topic) => {
        if (!mayReceive(peer, topic)) return;
        expect(topic).not.toMatch(/(status|beat|report|output|answer)$/);
        expect(maySubscribe(peer, topic)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('[4] of a role that was lost nothing more is heard', () => {
    expect(mayReceive({ node: 'web1', roles: ['web'] }, topicOf.head('role/web'))).toBe(true);
    expect(mayReceive({ node: 'web1', roles: [] }, topicOf.head('role/web'))).toBe(false);
    expect(mayReceive(null, topicOf.head('cluster'))).toBe(false);
  });
});

describe('a packet of a node', () => {
  const peer = { node: 'web1', roles: ['web'] };
  const beat = JSON.stringify({ s: 'x', n: 1, e: 1, r: [1], ok: true });
  const said = { topic: topicOf.beat('web1'), payload: beat, qos: 0, retain: false };

  it.each([
    ['under its own name, fitting its schema, is let through', {}, undefined],
    ['under the name of another is dropped', { topic: topicOf.beat('web2') }, 'topic'],
    ['on a topic of the manager is dropped', { topic: topicOf.ask('web1') }, 'topic'],
    ['outside the table is dropped', { topic: '$SYS/x' }, 'topic'],
    ['with QoS 2 is dropped', { qos: 2 }, 'qos'],
    ['larger than its topic allows is dropped', { payload: `${beat}${' '.repeat(1024)}` }, 'size'],
    ['that is not JSON is dropped', { payload: '{' }, 'schema'],
    ['that is empty, as if to clear what is retained, is dropped', { payload: '' }, 'schema'],
    ['that does not fit its schema is dropped', { payload: '{"s":1}' }, 'schema'],
  ])('[4] %s', (_title, change, breach) => {
    const judgement = judgePublish(peer, { ...said, ...change });
    expect('breach' in judgement ? judgement.breach : undefined).toBe(breach);
  });

  it('[4] is never retained where the table does not say so', () => {
    const judgement = judgePublish(peer, { ...said, retain: true });
    expect(judgement).toMatchObject({ accepted: { retain: false } });
  });

  it('[4] of a node that was removed is dropped', () => {
    expect(judgePublish(null, said)).toEqual({ breach: 'unknown-node' });
  });
});

describe('[2.4] who may hear a head', () => {
  it('[2.4] is whoever follows its scope, and nobody else', () => {
    const scopes = fc.constantFrom('cluster', 'role/web', 'role/balancer', 'node/web1', 'node/lb1');
    fc.assert(
      fc.property(anyPeer, scopes, (peer, scope) => {
        expect(mayReceive(peer, topicOf.head(scope))).toBe(scopesOf(peer).includes(scope));
      }),
    );
  });
});
