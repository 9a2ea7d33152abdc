/** Nodes, one pool in which they are as a director has them, and a rolling run over all of them. */
import type { Command } from '../../../common/queue/command.ts';
import { movesOf, type Plan, type Seen, type SeenNode } from '../../../common/queue/rolling.ts';
import { firstTurn, type Turn } from '../../../common/queue/turn.ts';
import type { PoolView } from '../../../protocol/views.ts';
import { waitingCommand } from '../../support/command.ts';

const START = 1_790_000_000_000;
export const MINUTE = 60_000;
const plan: Plan = { size: 1, drain: 30_000, stopAfter: 1, word: 'run abcdefghijkl: ' };

const nodeOf = (name: string, more: Partial<SeenNode> = {}): SeenNode => ({
  ...{ name, roles: ['web'], online: true, converged: true, checks: [] },
  ...more,
});
const commandOf = (node: string, more: Partial<Command> = {}): Command =>
  waitingCommand({ seq: 1, node, turn: firstTurn(START), ...more });

export class Fleet {
  now = START;
  readonly nodes = new Map<string, SeenNode>();
  readonly commands = new Map<string, Command>();
  readonly plan: Plan;
  /** Names that a director gives visitors to, and of them those with visitors still. */
  readonly serving: Set<string>;
  readonly lingering = new Set<string>();
  readonly busy = new Set<string>();
  /** Those that other runs have in hand. */
  readonly away = new Set<string>();
  readonly taken = new Set<string>();

  constructor(names: readonly string[], more: Partial<Plan> = {}) {
    this.plan = { ...plan, ...more };
    this.serving = new Set(names);
    for (const name of names) {
      this.nodes.set(name, nodeOf(name));
      this.commands.set(name, commandOf(name));
    }
  }

  pools(): PoolView[] {
    const members = [...this.nodes.keys()].map((node) => {
      const up = this.serving.has(node);
      const state = up ? 'up' : this.lingering.has(node) ? 'drain' : 'out';
      const wanted = { node, weight: 1, opinion: 'up', operator: up ? 'none' : 'drain' };
      const seen = {
        director: 'lb',
        state,
        weight: up ? 1 : 0,
        connections: 0,
        probe: '',
        detail: '',
        seq: 1,
      };
      return { node, wanted, actual: [seen] };
    });
    return [{ service: 'shop', members } as unknown as PoolView];
  }

  seen(): Seen {
    const node = (name: string) => this.nodes.get(name);
    const isAside = ({ drain }: SeenNode) => drain !== undefined && !drain.startsWith(this.plan.word);
    const aside = new Set([...this.nodes.values()].filter(isAside).map(({ name }) => name));
    return {
      ...{ now: this.now, node, pools: this.pools(), aside, away: this.away, taken: this.taken },
      blocked: (command) => (this.busy.has(command.node) ? 'another is before it' : undefined),
    };
  }

  /** One look, carried out. @returns the nodes whose turn has changed */
  look(): string[] {
    const moves = movesOf(this.plan, [...this.commands.values()], this.seen());
    for (const { node, turn, drain } of moves) {
      this.set(node, { turn });
      if (drain === 'on') {
        this.node(node, { drain: `${this.plan.word}a (ann)` });
        this.serving.delete(node);
        this.lingering.add(node);
      }
      if (drain === 'off') this.undrain(node);
    }
    return moves.map(({ node }) => node);
  }
  undrain(name: string): void {
    const { drain: _, ...rest } = this.nodes.get(name) ?? nodeOf(name);
    if (!this.nodes.has(name)) return;
    this.nodes.set(name, rest);
    this.lingering.delete(name);
    this.serving.add(name);
  }
  /** Looks again and again for so long, once a second. */
  pass(ms: number, every = 1_000): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += every;
      this.look();
    }
  }
  node(name: string, more: Partial<SeenNode>): void {
    const known = this.nodes.get(name);
    if (known) this.nodes.set(name, { ...known, ...more });
  }
  set(name: string, more: Partial<Command>): void {
    const known = this.commands.get(name);
    if (known) this.commands.set(name, { ...known, ...more });
  }
  phases(): Record<string, Turn['phase'] | undefined> {
    return Object.fromEntries([...this.commands].map(([name, { turn }]) => [name, turn?.phase]));
  }
  /** Its visitors have gone. */
  empties(name: string): void {
    this.lingering.delete(name);
  }
}
