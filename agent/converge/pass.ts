/** A pass: one walk through the pipeline for one unit, with what the steps hand on and how long each took. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import type { ErrorCode, EvenkeelError } from '../../protocol/errors.ts';
import type { FileDiff, Result, ScopeName, Step } from '../../protocol/messages.ts';
import type { ServiceDriver } from '../drivers/driver.ts';
import type { Run } from '../drivers/run.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { VerifyResult } from '../probe/verify.ts';
import type { Desired } from '../state/desired.ts';
import type { Disk } from '../state/disk.ts';
import type { Hold } from '../state/memory.ts';
import type { Places } from '../state/places.ts';
import type { RecordFile } from '../state/record.ts';
import type { Trees } from '../state/trees.ts';
import type { FindCulprits } from './culprit.ts';
import type { Renderer } from './render.ts';
import type { Restarts } from './restarts.ts';

/** What every unit is worked on with. */
export interface Tools {
  node: string;
  desired: Desired;
  driver: ServiceDriver;
  run: Run;
  kernel: Kernel;
  /** What root of this box has said of changes to it. */
  rootHold: () => { reason: string } | null;
  places: Places;
  runChecks: (
    checks: readonly ResolvedCheck[],
    options: { deadline: number; signal: AbortSignal },
  ) => Promise<VerifyResult>;
  findCulprits: FindCulprits;
  hooks: Hooks;
  /** Called at the beginning and the end of each step; whoever tests a crash ends the process here. */
  checkpoint: (step: Step, phase: 'begin' | 'end') => void;
  clock: Clock;
  log: Log;
}

/** What others have to do around a pass. */
export interface Hooks {
  /** Before a daemon is told to load: what must survive that is kept now. */
  beforeReload(unit: string): Promise<void>;
  reloaded(unit: string): void;
  /** Its daemon lived, and is gone without anybody here having ended it. */
  died(unit: string): void;
  /** The checks that go with what is served from now on; null when the unit is gone. */
  serving(unit: string, checks: ResolvedCheck[] | null): void;
}

/** What is known of a unit from one pass to the next. */
export interface Unit {
  name: string;
  trees: Trees;
  record: RecordFile;
  disk: Disk;
  renderer: Renderer;
  restarts: Restarts;
  /** Whose checks are being run: the digest of their tree. */
  serving: string | null;
  /** The next comparison with the disk reads the bytes as well. */
  contents: boolean;
  /** What the next pass is asked to do to its daemon, whatever else it finds. */
  renewals: Renewal[];
}

/** Somebody wants a daemon ended and started, or told to load, and hears how that went. */
export interface Renewal {
  wish: 'restarted' | 'reloaded';
  done: () => void;
  failed: (err: unknown) => void;
}

/** How a pass ended. */
export interface Ending {
  result: Result;
  step?: Step;
  error?: { code: ErrorCode; message: string };
  /** What to throw at the loop, which decides whether to come again. */
  failure?: Error;
  /** Milliseconds after which the unit wants another look. */
  againAfter?: number;
}

export interface Pass {
  unit: Unit;
  tools: Tools;
  signal: AbortSignal;
  timing: Record<string, number>;
  /** The step that runs, or that ran last. */
  at: Step;
  /** Where the desired state stood when the pass took down what is wanted, or before that when it began. */
  scopes: Record<ScopeName, { epoch: number; rev: number }>;
  /** What this pass holds back; kept when the tree without it has passed its checker. */
  holding: Map<string, Hold>;
  /** Bytes are compared as well, and the checker is asked again. */
  contents: boolean;
  /** Whom the checker's last words seemed to mean. */
  accused: { gist: string; keys: string[] } | null;
  /** What was staged and may turn out to be garbage: a tree, and places that were not there before. */
  staged: { digest: string; places: string[] }[];
  diffs: FileDiff[];
  drift: { repaired: boolean; found: { path: string }[]; diffs: FileDiff[] };
  /** What the kernel lacks still, which is no reason to serve nobody. */
  left: EvenkeelError | null;
  /** Whether this pass has ended the daemon on purpose, and the one that it found dead and has started again. */
  daemon: { ended: boolean; restarted: string | null };
  step<T>(name: Step, work: () => T | Promise<T>): Promise<T>;
}

export function beginPass(unit: Unit, tools: Tools, scopes: Pass['scopes'], signal: AbortSignal): Pass {
  const { clock, checkpoint } = tools;
  const pass: Pass = {
    unit,
    tools,
    signal,
    timing: {},
    at: 'render',
    scopes,
    holding: new Map(),
    contents: false,
    accused: null,
    staged: [],
    diffs: [],
    drift: { repaired: false, found: [], diffs: [] },
    left: null,
    daemon: { ended: false, restarted: null },
    step: async (name, work) => {
      // Nothing is begun any more by an agent that stops; the next one takes it up.
      signal.throwIfAborted();
      pass.at = name;
      checkpoint(name, 'begin');
      const begun = clock.monotonic();
      try {
        return await work();
      } finally {
        const spent = clock.monotonic() - begun;
        pass.timing[name] = Math.round(((pass.timing[name] ?? 0) + spent) * 100) / 100;
        checkpoint(name, 'end');
      }
    },
  };
  return pass;
}
