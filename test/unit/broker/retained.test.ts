/** Retained messages: found for exactly the filters that MQTT says, and as quickly among many as among few. */
import type { PublishPacket } from 'aedes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPersistence, createRetained, memory } from '../../../manager/broker/retained.ts';
import { TOPIC_ROOT, topicOf } from '../../../protocol/topics.ts';

const names = fc.constantFrom('web1', 'web2', 'lb1', 'db.example');
const anyTopic = fc.oneof(
  ...[topicOf.status, topicOf.beat, topicOf.report, topicOf.receipt, topicOf.ask, topicOf.pool].map((of) =>
    names.map(of),
  ),
  names.map((name) => topicOf.head(`node/${name}`)),
  fc.constantFrom(topicOf.head('cluster'), topicOf.head('role/web'), topicOf.lease()),
);
const level = fc.oneof(names, fc.constantFrom('+', 'node', 'head', 'pool', 'role', 'status', 'cluster'));
const anyFilter = fc.oneof(
  anyTopic,
  fc
    .tuple(fc.array(level, { maxLength: 3 }), fc.constantFrom([], ['#']))
    .map(([levels, end]) => [TOPIC_ROOT, ...levels, ...end].join('/')),
);
const packetOf = (topic: string, text = topic): PublishPacket => ({
  cmd: 'publish',
  topic,
  payload: Buffer.from(text),
  qos: 0,
  retain: true,
  dup: false,
});
const topicsOf = (packets: Iterable<PublishPacket>) => [...packets].map(({ topic }) => topic).sort();

/** The same writes to both, and what each finds. */
async function foundByBoth(writes: { topic: string; kept: boolean }[], filter: string) {
  const [ours, theirs] = [createPersistence(), memory()];
  for (const { topic, kept } of writes)
    for (const each of [ours, theirs])
      await (each as typeof ours).storeRetained(packetOf(topic, kept ? topic : ''));
  const read = async (stream: AsyncIterable<PublishPacket>) => {
    const packets: PublishPacket[] = [];
    for await (const packet of stream) packets.push(packet);
    return topicsOf(packets);
  };
  return [
    await read(ours.createRetainedStreamCombi([filter])),
    await read(theirs.createRetainedStreamCombi([filter])),
  ];
}

describe('[2.4] retained messages', () => {
  it('[2.4] are found for exactly the filters for which the package itself finds them', async () => {
    const writes = fc.array(fc.record({ topic: anyTopic, kept: fc.boolean() }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(writes, anyFilter, async (all, filter) => {
        const [ours, theirs] = await foundByBoth(all, filter);
        expect(ours).toEqual(theirs);
      }),
      { numRuns: 500 },
    );
  });

  it('[2.4] a filter that ends in # finds its parent too, and a wildcard in front nothing of the broker’s own', () => {
    const retained = createRetained();
    for (const topic of ['a', 'a/b', '$SYS/x']) retained.keep(packetOf(topic));
    expect(topicsOf(retained.matching('a/#'))).toEqual(['a', 'a/b']);
    expect(topicsOf(retained.matching('#'))).toEqual(['a', 'a/b']);
    expect(topicsOf(retained.matching('+/x'))).toEqual([]);
    expect(topicsOf(retained.matching('$SYS/#'))).toEqual(['$SYS/x']);
  });

  it('[2.4] the last message of a topic is the one that is kept', () => {
    const retained = createRetained();
    for (const text of ['old', 'new']) retained.keep(packetOf('a/b', text));
    expect([...retained.matching('a/b')].map(({ payload }) => payload.toString())).toEqual(['new']);
  });

  it('[2.4] asking for what one node may hear does not become dearer with the number of nodes', () => {
    const askedOf = (nodes: number) => {
      const retained = createRetained();
      for (let at = 0; at < nodes; at += 1) retained.keep(packetOf(topicOf.head(`node/n${at}`)));
      const begun = process.hrtime.bigint();
      for (let turn = 0; turn < 2_000; turn += 1) topicsOf(retained.matching(topicOf.head('node/n1')));
      return Number(process.hrtime.bigint() - begun);
    };
    askedOf(10);
    expect(askedOf(20_000)).toBeLessThan(askedOf(10) * 50);
  });
});
