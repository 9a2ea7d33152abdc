/** The rules: what the store asks of the deciders, and the values it hands them. They answer by these alone. */
import type { Problem } from '../protocol/errors.ts';
import type { ScopeName } from '../protocol/messages.ts';
import type { Kind, Resource } from '../protocol/resource.ts';
import type { SiteStub, Stored, View } from './view.ts';

/** One resource to be put or deleted. */
export type Edit = ({ op: 'put'; resource: Resource } | { op: 'delete'; kind: Kind; name: string }) & {
  /** Where it stands in the request, such as `documents/3`; prefix of the paths in problems. */
  where: string;
  /** The revision it must have; zero: it must not exist. */
  ifMatch?: number | undefined;
};

export const keyOfEdit = (edit: Edit): { kind: Kind; name: string } =>
  edit.op === 'put' ? edit.resource : edit;

/** A request as it is judged: how things are, how they would be, and what it asks. Its edits really change something. */
export interface Proposal {
  before: View;
  after: View;
  edits: readonly Edit[];
}

/** Who takes what, as the policies say it. Plain data, so that two of them can be compared kind by kind. */
export interface Interests extends Record<Kind, unknown> {
  Cluster: readonly string[];
  Site: readonly string[];
  Storage: readonly string[];
  VirtualService: readonly string[];
  /** The role that takes nodes, and which of them: those of `only`, or all. */
  Node: readonly { role: string; only: string | null }[];
  /** By template name: the roles. */
  Template: Readonly<Record<string, readonly string[]>>;
  Policy: null;
  Action: null;
  Schedule: null;
}

/** What an agent asks of a scope, and what there is to answer with. */
export interface PullQuestion {
  /** What the agent says it has. */
  epoch: number;
  since: number;
  head: { epoch: number; rev: number };
  /** Deletions before this revision are forgotten. */
  floor: number;
}

export interface Rules {
  /** All that is wrong with a request, each with its place and its fix. */
  admit(proposal: Proposal): Problem[];
  /** What is right but too large to do by accident. @param now milliseconds since the epoch */
  guard(proposal: Proposal, now: number): Problem[];
  interestsOf(view: Pick<View, 'Policy' | 'Template'>): Interests;
  scopesOf(resource: Stored | SiteStub, interests: Interests): ScopeName[];
  /** The scopes that somebody follows, with or without anything in them. */
  followedScopes(view: Pick<View, 'Policy' | 'Node'>): Set<ScopeName>;
  decide(question: PullQuestion): 'delta' | 'snapshot';
}
