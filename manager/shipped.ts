/** The policies and templates that ship: files in a checkout, read as resources like any other. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { EvenkeelError, messageOf, type Problem } from '../protocol/errors.ts';
import { parseResource, type Resource } from '../protocol/resource.ts';

/** A shipped template says its syntax in its first line, where Handlebars drops it. */
const firstLine = /^\{\{!-- syntax: (?<syntax>[a-z]+) --\}\}\n/;

/**
 * Reads `policies/*.yaml` and `templates/**\/*.hbs` below a folder, templates first, each sorted by name.
 * @throws EvenkeelError invalid-document with every problem, each under its file
 */
export async function loadShipped(folder: string): Promise<Resource[]> {
  const templates = await readAll(join(folder, 'templates'), '.hbs');
  const policies = await readAll(join(folder, 'policies'), '.yaml');
  const documents = [
    ...templates.map(({ name, text }) => ({
      where: `templates/${name}`,
      document: templateDocument(name, text),
    })),
    ...policies.flatMap(({ name, text }) => policyDocuments(`policies/${name}`, text)),
  ];
  const parsed = documents.map(({ where, document }) => parseResource(document, where));
  const problems = parsed.flatMap((one) => (one.ok ? [] : one.problems));
  if (problems[0]) throw refusal(problems[0], problems);
  return parsed.flatMap((one) => (one.ok ? [one.resource] : []));
}

async function readAll(folder: string, ending: string): Promise<{ name: string; text: string }[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(ending)).sort();
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(join(folder, name), 'utf8') })));
}

const templateDocument = (name: string, text: string) => ({
  kind: 'Template',
  name,
  spec: { syntax: firstLine.exec(text)?.groups?.syntax, text },
});

function policyDocuments(where: string, text: string): { where: string; document: unknown }[] {
  return parseAllDocuments(text).map((document) => {
    const [error] = document.errors;
    if (error) {
      const problem: Problem = { code: 'invalid-document', path: where, message: messageOf(error) };
      throw refusal(problem, [problem]);
    }
    return { where, document: document.toJS() as unknown };
  });
}

const refusal = (first: Problem, problems: Problem[]) =>
  new EvenkeelError('invalid-document', `${first.path} ${first.message}`, { problems });
