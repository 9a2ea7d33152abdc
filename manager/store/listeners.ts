/** Listeners: told one after the other; one that throws is logged and harms neither the others nor the teller. */
import type { Log } from '../../common/log.ts';
import { messageOf } from '../../protocol/errors.ts';

export interface Listeners<T> {
  /** @returns its undo */
  add(listener: (news: T) => void): () => void;
  tell(news: T): void;
}

export function createListeners<T>(log: Log): Listeners<T> {
  const listeners = new Set<(news: T) => void>();
  return {
    add: (listener) => {
      const own = (news: T) => listener(news);
      listeners.add(own);
      return () => {
        listeners.delete(own);
      };
    },
    tell: (news) => {
      for (const listener of [...listeners]) {
        try {
          listener(news);
        } catch (err) {
          log.error({ err: messageOf(err) }, 'a listener of the store failed');
        }
      }
    },
  };
}
