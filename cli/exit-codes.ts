/** The exit codes, declared once: what programs may rely on, `--help` and docs/cli.md show this table. */

export const exits = {
  ok: { code: 0, means: 'done' },
  difference: {
    code: 1,
    means:
      'diff: there is a difference; doctor: a check fails; smoke, setup: a node does not serve; up: it did not come up',
  },
  usage: { code: 2, means: 'the command line, a file or the configuration is wrong; nothing was sent' },
  refused: { code: 3, means: 'the manager refused it; nothing has changed' },
  notFound: { code: 4, means: 'there is no such resource, node or token' },
  unreachable: { code: 5, means: 'the manager, or the node that was asked, does not answer' },
  stale: { code: 6, means: 'somebody else changed it meanwhile; read it again' },
  denied: { code: 7, means: 'the token is wrong, or its role does not allow it' },
  unfinished: {
    code: 8,
    means: 'accepted, but not converged: something of it is held back, or failed, or time ran out',
  },
  internal: { code: 10, means: 'something inside failed, here or in the manager' },
  interrupted: { code: 130, means: 'ended by Ctrl-C' },
} as const;

export type ExitName = keyof typeof exits;

export const exitTable = (): string =>
  Object.values(exits)
    .map(({ code, means }) => `  ${String(code).padStart(3)}  ${means}`)
    .join('\n');
