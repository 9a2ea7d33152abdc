/** Every coded error that Evenkeel says, declared once: code, HTTP status, whether a retry can help, and the fix. */

export type ErrorClass = 'terminal' | 'retriable';

interface ErrorRow {
  /** HTTP status when it leaves through an API. */
  status: number;
  class: ErrorClass;
  /** A short constant sentence; what was found stands in the detail. */
  title: string;
}

const row = (status: number, cls: ErrorClass, title: string): ErrorRow => ({ status, class: cls, title });

/** The table. Codes are stable: programs may match on them; never rename one, only add. */
export const errors = {
  // Input, refused at the door.
  'invalid-document': row(400, 'terminal', 'The document does not fit its schema'),
  unanswered: row(400, 'terminal', 'Some questions of the setup are not answered'),
  'unknown-kind': row(400, 'terminal', 'There is no such kind of resource'),
  'bad-request': row(400, 'terminal', 'The request cannot be understood'),
  'method-not-allowed': row(405, 'terminal', 'The path exists, but not with this method'),
  'unsupported-media-type': row(415, 'terminal', 'The content type is not one that is understood here'),
  'headers-too-large': row(431, 'terminal', 'The headers of the request are larger than is accepted'),
  'request-timeout': row(408, 'retriable', 'The request did not arrive whole in time'),
  'payload-too-large': row(413, 'terminal', 'The request is larger than is accepted'),
  'duplicate-document': row(400, 'terminal', 'One resource stands twice in the same request'),
  'duplicate-domain': row(409, 'terminal', 'The domain is already served by another site'),
  'dangling-reference': row(409, 'terminal', 'The document refers to something that does not exist'),
  'still-referenced': row(409, 'terminal', 'Something else still refers to this resource'),
  'path-conflict': row(
    409,
    'terminal',
    'Two policies write one path, claim one service, or one address and port on a node',
  ),
  'address-conflict': row(409, 'terminal', 'Two virtual services answer at one address and port'),
  'network-conflict': row(409, 'terminal', 'The addresses do not fit the layout of the networks'),
  'balancer-conflict': row(409, 'terminal', 'The balancer of the cluster cannot do what is asked of it'),
  'storage-moving': row(409, 'terminal', 'The storage is being moved to another server'),
  'storage-elsewhere': row(
    409,
    'terminal',
    'Nodes would at once see another place, to which nothing was copied, or none',
  ),
  'storage-conflict': row(409, 'terminal', 'Two storages lie in each other'),
  'move-refused': row(409, 'terminal', 'The storage cannot be moved so'),
  'too-many-removals': row(409, 'terminal', 'The change would remove more than is allowed at once'),
  'empty-pool': row(409, 'terminal', 'The change would leave a virtual service without any eligible node'),
  'no-director': row(409, 'terminal', 'The change would leave virtual services without a director'),
  'render-failed': row(400, 'terminal', 'A template cannot be rendered'),
  'stale-revision': row(412, 'terminal', 'The resource has changed since it was read'),
  overtaken: row(409, 'retriable', 'What the change was tried on has changed meanwhile, again and again'),
  'not-found': row(404, 'terminal', 'There is no such resource'),
  'already-exists': row(409, 'terminal', 'It exists already'),
  // Who is asking.
  unauthenticated: row(401, 'terminal', 'A valid token is needed'),
  forbidden: row(403, 'terminal', 'The role of this token does not allow it'),
  'rate-limited': row(429, 'retriable', 'Too many requests; wait as Retry-After says'),
  // The manager's own state.
  'manager-held': row(503, 'retriable', 'The manager is held read-only until an operator says how to go on'),
  'slow-reader': row(
    503,
    'retriable',
    'The reader of a stream is too slow and was cut off; resume where it ended',
  ),
  busy: row(503, 'retriable', 'The manager is busy; ask again as Retry-After says'),
  'store-failed': row(500, 'retriable', 'The store could not carry out the write; nothing was changed'),
  'store-damaged': row(500, 'terminal', 'The store does not verify'),
  internal: row(500, 'retriable', 'Something inside failed'),
  timeout: row(504, 'retriable', 'It took longer than is allowed'),
  'node-unreachable': row(503, 'retriable', 'The node does not answer'),
  'backup-invalid': row(
    400,
    'terminal',
    'The backup cannot be opened: the passphrase is wrong, or the file is damaged',
  ),
  // The queue.
  'not-possible': row(409, 'terminal', 'As it stands, this cannot be done to it'),
  'queue-full': row(409, 'terminal', 'So many commands wait for the node that no more are taken'),
  'record-lost': row(500, 'retriable', 'The agent has no record of this try any more'),
  // Trust.
  'invite-invalid': row(403, 'terminal', 'The join string is wrong, used, revoked or expired'),
  'identity-changed': row(403, 'terminal', 'The key is not the one that this node joined with'),
  'node-removed': row(410, 'terminal', 'The node was removed from the cluster'),
  'upgrade-refused': row(409, 'terminal', 'The release of the node is not changed'),
  'not-a-member': row(409, 'terminal', 'This box has left its cluster'),
  'identity-copied': row(409, 'terminal', 'The key of this box is that of another one: its disk was copied'),
  'name-in-use': row(409, 'terminal', 'Another box has this name, and lives'),
  // No 4xx: whoever waits as told is not one who guesses.
  'join-waiting': row(503, 'retriable', 'The box waits until an operator accepts it'),
  'join-refused': row(403, 'terminal', 'An operator has refused this box'),
  'preflight-failed': row(409, 'terminal', 'The box does not fit the cluster'),
  'manager-untrusted': row(502, 'terminal', 'What answers is not the manager that the join string names'),
  'not-confirmed': row(400, 'terminal', 'Nobody has confirmed the fingerprint of the manager'),
  'signature-invalid': row(400, 'terminal', 'The signature does not fit the message'),
  'csr-invalid': row(400, 'terminal', 'The certificate request is not acceptable'),
  // The agent's link.
  'manager-went-back': row(409, 'terminal', 'The manager shows an older state than this node has'),
  'snapshot-refused': row(
    409,
    'terminal',
    'The snapshot removes more than a fifth of a kind and no operator allowed it',
  ),
  'digest-mismatch': row(409, 'retriable', 'What was received does not add up to the digest of the head'),
  // The converge pipeline; the step stands beside the code in a report.
  'paths-differ': row(409, 'terminal', 'The paths in the Node resource are not the paths of this agent'),
  'executable-refused': row(
    403,
    'terminal',
    'The executable or place is not on the list that root keeps on the box',
  ),
  'command-missing': row(500, 'terminal', 'The command does not exist'),
  'command-failed': row(500, 'terminal', 'The command failed'),
  'command-timeout': row(504, 'retriable', 'The command took longer than is allowed and was ended'),
  'validate-failed': row(422, 'terminal', 'The checker of the daemon refused the new configuration'),
  'write-failed': row(507, 'retriable', 'A file could not be written'),
  'not-loaded': row(504, 'terminal', 'The daemon does not show that it serves the new configuration'),
  'verify-failed': row(422, 'terminal', 'The checks of the policy fail with the new configuration'),
  'service-failed': row(500, 'retriable', 'The service could not be started, reloaded or stopped'),
  'kernel-refused': row(500, 'retriable', 'The kernel does not hold what a line of a policy asks of it'),
  'mount-failed': row(503, 'retriable', 'A file system cannot be mounted just now; it is tried again'),
  'line-failed': row(
    500,
    'retriable',
    'What one storage or one customer asks of the kernel is not so; all others have what they ask for, and it is tried again',
  ),
  'undo-failed': row(
    500,
    'retriable',
    'What nobody asks of the kernel any more cannot be taken away just now; it is tried again',
  ),
  'on-hold': row(409, 'terminal', 'An operator has put the node or the policy on hold; nothing is changed'),
  'audit-only': row(409, 'terminal', 'The node or the policy is only audited; nothing is changed'),
  'service-died': row(
    500,
    'retriable',
    'The service died while it loaded the new configuration or was checked',
  ),
  'systemd-failed': row(
    503,
    'retriable',
    'systemd on the box does not answer, or does not do what it is asked; it is tried again',
  ),
  'directory-missing': row(409, 'terminal', 'A directory that a resource names does not exist on the node'),
  'copy-failed': row(500, 'retriable', 'A storage could not be copied to another server'),
  'target-not-empty': row(409, 'terminal', 'The place to which a storage is to be copied is not empty'),
  // Actions, as the agent carries them out.
  'action-refused': row(403, 'terminal', 'This box does not carry out the action'),
  'action-unknown': row(409, 'retriable', 'The node does not have this version of the action'),
  interrupted: row(500, 'retriable', 'The agent or its box died in the middle of it'),
  'driver-failed': row(500, 'retriable', 'A driver could not read or change what it looks after'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errors;

/** One thing that is wrong with an input: where, what was found, and what to do about it. */
export interface Problem {
  code: ErrorCode;
  /** Where: `documents/3/spec/aliases/0`, or a CLI flag; empty when it is about the whole. */
  path: string;
  /** The offending value, shortened, when there is one. */
  value?: string;
  message: string;
  fix?: string;
}

/** The one error class. Wrap with a noun and `cause`; log once, at the top of a loop. */
export class EvenkeelError extends Error {
  readonly code: ErrorCode;
  readonly problems: Problem[];

  constructor(code: ErrorCode, detail: string, options: { cause?: unknown; problems?: Problem[] } = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EvenkeelError';
    this.code = code;
    this.problems = options.problems ?? [];
  }

  get status(): number {
    return errors[this.code].status;
  }

  get retriable(): boolean {
    return errors[this.code].class === 'retriable';
  }
}

/** The message of anything that was thrown. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown);

/** An RFC 9457 problem document, as every API error is answered. */
export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  code: ErrorCode;
  detail: string;
  problems?: Problem[];
  instance?: string;
}

/** Turns a coded error into its problem document; `instance` is the request's path. */
export const problemDocument = (error: EvenkeelError, instance?: string): ProblemDocument => ({
  type: `urn:evenkeel:error:${error.code}`,
  title: errors[error.code].title,
  status: error.status,
  code: error.code,
  detail: error.message,
  ...(error.problems.length > 0 ? { problems: error.problems } : {}),
  ...(instance === undefined ? {} : { instance }),
});
