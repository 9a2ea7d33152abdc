/** Answers to pulls: made once for all who ask the same, kept within a bound, and refused when too many are being made. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Changes, Envelope, ScopeName } from '../../protocol/messages.ts';

/** What answers are made of. */
export interface AnswersStore {
  /** Where a scope stands now: an answer made for an earlier stand is not given again. */
  head(scope: ScopeName): { epoch: number; rev: number; shrink?: { epoch: number; rev: number } } | undefined;
  changes(scope: ScopeName, epoch: number, since: number): Promise<Omit<Changes, 'type' | 'cluster'>>;
}

export interface AnswersOptions {
  /** The id of the cluster. */
  cluster: string;
  store: AnswersStore;
  seal: (message: Changes) => Envelope;
  limits?: { making: number; bytes: number };
}

export interface Ready {
  plain: Buffer;
  /** Absent where it would not be worth it. */
  zipped: Buffer | undefined;
}

export interface Answers {
  /** @throws EvenkeelError busy when too many different answers are being made */
  answer(scope: ScopeName, epoch: number, since: number): Promise<Ready>;
  /** How often an answer was there already, and how often it had to be made. */
  counts(): { kept: number; made: number; refused: number };
}

const WORTH_ZIPPING = 1024;
const zip = promisify(gzip);

export function createAnswers({
  cluster,
  store,
  seal,
  limits = { making: 16, bytes: 64 * 1024 * 1024 },
}: AnswersOptions): Answers {
  const kept = new Map<string, Ready>();
  const making = new Map<string, Promise<Ready>>();
  const counts = { kept: 0, made: 0, refused: 0 };
  let bytes = 0;

  const sizeOf = ({ plain, zipped }: Ready) => plain.length + (zipped?.length ?? 0);
  /** The one asked for longest ago goes first. */
  const keep = (key: string, ready: Ready) => {
    kept.set(key, ready);
    bytes += sizeOf(ready);
    for (const [oldest, answer] of kept) {
      if (bytes <= limits.bytes) return;
      kept.delete(oldest);
      bytes -= sizeOf(answer);
    }
  };
  const make = async (scope: ScopeName, epoch: number, since: number): Promise<Ready> => {
    const found = await store.changes(scope, epoch, since);
    const plain = Buffer.from(JSON.stringify(seal({ type: 'changes', cluster, ...found })));
    return { plain, zipped: plain.length > WORTH_ZIPPING ? await zip(plain) : undefined };
  };
  const makeOnce = (key: string, work: () => Promise<Ready>): Promise<Ready> => {
    const running = making.get(key);
    if (running) return running;
    if (making.size >= limits.making) {
      counts.refused += 1;
      throw new EvenkeelError('busy', `${limits.making} answers are being made already`);
    }
    counts.made += 1;
    const promise = work()
      .then((ready) => {
        keep(key, ready);
        return ready;
      })
      .finally(() => making.delete(key));
    making.set(key, promise);
    return promise;
  };
  return {
    answer: async (scope, epoch, since) => {
      const head = store.head(scope);
      const key = JSON.stringify([scope, epoch, since, head?.epoch, head?.rev, head?.shrink]);
      const ready = kept.get(key);
      if (!ready) return makeOnce(key, () => make(scope, epoch, since));
      counts.kept += 1;
      kept.delete(key);
      kept.set(key, ready);
      return ready;
    },
    counts: () => ({ ...counts }),
  };
}
