/** Storages as the API shows them, and the verbs that move one to another server. */
import { type Static, Type } from 'typebox';
import { CompareWithin, movePhases, StoragePlace } from './resources/storage.ts';
import { Moment, Name, OneOf, Strict } from './values.ts';

/** How a node that mounts a storage stands to what is declared of it. */
export const mountStates = ['ready', 'waiting', 'away', 'excused'] as const;

export const MoveProgress = Strict({
  at: Moment,
  pass: Type.Integer({ description: 'Passes that are through in this phase' }),
  seconds: Type.Number({ description: 'What the last of them took' }),
  files: Type.Integer({ description: 'Copied in the present pass; in compare: compared' }),
  bytes: Type.Number(),
  left: Type.Integer({ description: 'Files that the present pass has still to look at, as far as known' }),
});

export const StorageView = Strict({
  name: Name,
  ...StoragePlace.properties,
  mountpoint: Type.String(),
  mounts: Type.Array(
    Strict({
      node: Name,
      state: OneOf([...mountStates], {
        description: 'excused: in maintenance and not heard, so that nobody waits for it',
      }),
      why: Type.String(),
    }),
  ),
  move: Type.Optional(
    Strict({
      id: Type.String(),
      phase: OneOf([...movePhases]),
      since: Moment,
      frozen: Type.Optional(Moment),
      by: Name,
      from: StoragePlace,
      to: StoragePlace,
      deadline: Type.Unsafe<string>({ ...Moment, description: 'When the phase is taken back at the latest' }),
      waits: Type.String({ description: 'What the phase waits for' }),
      progress: Type.Union([MoveProgress, Type.Null()]),
    }),
  ),
});
export type StorageView = Static<typeof StorageView>;

const StorageNamed = Strict({ name: Name });

/** A part of the table in endpoints.ts. */
export const storageApi = {
  storages: {
    method: 'GET',
    path: '/api/v1/storage',
    access: 'viewer',
    summary: 'Storages, which nodes mount them, and moves under way',
    answer: Strict({ items: Type.Array(StorageView) }),
  },
  storage: {
    method: 'GET',
    path: '/api/v1/storage/:name',
    access: 'viewer',
    summary: 'One storage, which nodes mount it, and how far its move has come',
    params: StorageNamed,
    answer: StorageView,
  },
  storageMove: {
    method: 'POST',
    path: '/api/v1/storage/:name/move',
    access: 'operator',
    summary: 'Begin to move a storage to another server',
    params: StorageNamed,
    body: Strict({ to: StoragePlace, by: Name, compareWithin: CompareWithin }),
    answer: StorageView,
  },
  storageCancel: {
    method: 'POST',
    path: '/api/v1/storage/:name/cancel',
    access: 'operator',
    summary: 'Take a move back: the nodes stay with, or go back to, the old server',
    params: StorageNamed,
    answer: StorageView,
  },
} as const;
