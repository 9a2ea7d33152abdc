/** Bodies: JSON as ever, and YAML, since that is how people write what they declare. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseAllDocuments } from 'yaml';
import { EvenkeelError, messageOf, type Problem } from '../../../protocol/errors.ts';

const yaml = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml'];

export function readBodies(app: FastifyInstance): void {
  app.removeContentTypeParser('text/plain');
  const json = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser<string>('application/merge-patch+json', { parseAs: 'string' }, json);
  app.addContentTypeParser<string>(
    yaml,
    { parseAs: 'string' },
    async (request: FastifyRequest, text: string) => bodyOf(request, documentsIn(text)),
  );
}

/** An apply in YAML is its documents and nothing else; anything else is one document. */
function bodyOf(request: FastifyRequest, documents: unknown[]): unknown {
  if (request.routeOptions.config.endpoint === 'apply') return { documents };
  if (documents.length === 1) return documents[0];
  throw new EvenkeelError('bad-request', `one YAML document is wanted here, not ${documents.length}`);
}

/** YAML is read in one go, and nobody else is served meanwhile. The CLI sends JSON. */
const MOST_YAML = 4 * 1024 * 1024;

/** @throws EvenkeelError bad-request with the place of every mistake, payload-too-large */
function documentsIn(text: string): unknown[] {
  if (text.length > MOST_YAML)
    throw new EvenkeelError(
      'payload-too-large',
      `YAML of more than ${MOST_YAML} characters is not read; send JSON`,
    );
  const documents = parseAllDocuments(text);
  const problems = documents.flatMap(({ errors }, at) =>
    errors.map(
      (error): Problem => ({ code: 'bad-request', path: `documents/${at}`, message: error.message.trim() }),
    ),
  );
  if (problems[0])
    throw new EvenkeelError('bad-request', `this is no YAML: ${problems[0].message}`, { problems });
  return documents.map(plainOf).filter((document) => document !== null);
}

/** Aliases that would unfold into far more than was written are refused by the parser. */
function plainOf(document: ReturnType<typeof parseAllDocuments>[number], at: number): unknown {
  try {
    return document.toJS() as unknown;
  } catch (cause) {
    throw new EvenkeelError('bad-request', `documents/${at}: ${messageOf(cause)}`, { cause });
  }
}
