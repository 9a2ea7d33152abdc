/** How the programs of the product are started, by whoever starts them. */

/**
 * An agent shares its box with what it looks after. V8 lets the space for new objects grow to 48 MB when something
 * large is read once, and never gives it back; and each of its four helpers keeps memory of its own (docs/benchmarks.md).
 */
const flags = { agent: ['--max-semi-space-size=1', '--v8-pool-size=1'], manager: [] } as const;

/** The arguments that run a bundle: the executable first. */
export const commandOf = (program: keyof typeof flags, bundle: string, args: readonly string[]): string[] => [
  process.execPath,
  ...flags[program],
  bundle,
  ...args,
];
