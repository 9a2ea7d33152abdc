/** What stays declared although the answers do not have it: a setup deletes nothing. Pure. */
import { keyOf, type ResourceOf } from '../../protocol/resource.ts';
import type { Answers, PlannedNode, SharedStorage } from './answers.ts';
import { documentsOf, type Known, plannedOf, sharedOf } from './documents.ts';

export interface Stays {
  nodes: PlannedNode[];
  services: ResourceOf<'VirtualService'>[];
  storages: SharedStorage[];
  /** Of the storage that is answered, where the answer has none. */
  link?: string;
}

export const nothingStays: Stays = { nodes: [], services: [], storages: [] };

export function staysOf(answers: Answers, known: Known): Stays {
  const planned = new Set(documentsOf(answers, known).map(({ document }) => keyOf(document)));
  const { storage } = answers;
  const before = storage === 'none' ? undefined : known.storages.find(({ name }) => name === storage.name);
  const link = before?.spec.link;
  const isLeft = (one: { kind: string; name: string }) => !planned.has(keyOf(one));
  return {
    nodes: known.nodes.filter(isLeft).map(plannedOf),
    services: known.services.filter(isLeft),
    storages: known.storages.filter(isLeft).map(sharedOf),
    ...(link === undefined ? {} : { link }),
  };
}

export const stayKeys = ({ nodes, services, storages }: Stays): string[] => [
  ...nodes.map(({ name }) => `Node/${name}`),
  ...storages.map(({ name }) => `Storage/${name}`),
  ...services.map(keyOf),
];

const MOST_NAMED = 20;

/** A line for people, or none; what takes it away is another command. */
export function staysText(stays: Stays): string[] {
  const keys = stayKeys(stays);
  if (keys.length === 0) return [];
  const more = keys.length > MOST_NAMED ? ` and ${keys.length - MOST_NAMED} more` : '';
  const ways = [
    ...(stays.nodes.length > 0 ? ['evenkeel node remove'] : []),
    ...(keys.length > stays.nodes.length ? ['evenkeel delete'] : []),
  ];
  const names = keys.slice(0, MOST_NAMED).join(', ');
  return [`stays declared: ${names}${more}; ${ways.join(' and ')} would take it away`];
}
