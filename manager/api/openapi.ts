/** The API described as OpenAPI 3.1, generated from the table of endpoints and the schemas of the resources. */
import { VERSION } from '../../common/version.ts';
import { api, type Endpoint } from '../../protocol/endpoints.ts';
import { errors } from '../../protocol/errors.ts';
import { documentSchema, kindNames } from '../../protocol/resource.ts';

interface Schema {
  properties?: Record<string, object>;
  required?: readonly string[];
}

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: object) => ({ 'application/json': { schema } });

/** Every endpoint is an operation under its own name in the table. */
export function openApi(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const [name, endpoint] of Object.entries(api) as [string, Endpoint][]) {
    const path = endpoint.path.replace('*', ':name').replace(/:([a-z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operationOf(name, endpoint) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Evenkeel',
      version: VERSION,
      description: 'Errors are problem documents (RFC 9457) with a stable `code`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'An API token, `ek_...`' } },
      schemas: {
        ...Object.fromEntries(kindNames.map((kind) => [kind, documentSchema(kind)])),
        Resource: { oneOf: kindNames.map(ref), discriminator: { propertyName: 'kind' } },
        Problem: problem,
      },
    },
  };
}

function operationOf(name: string, endpoint: Endpoint): object {
  const { summary, access, body } = endpoint;
  return {
    operationId: name,
    summary,
    ...(access === 'none' ? { security: [] } : { security: [{ token: [] }], 'x-role': access }),
    parameters: [...parametersOf(endpoint.params, 'path'), ...parametersOf(endpoint.query, 'query')],
    ...(body ? { requestBody: { content: json(name === 'apply' ? applyBody(body) : body) } } : {}),
    responses: {
      200: answerOf(endpoint),
      default: {
        description: 'Refused or failed',
        content: { 'application/problem+json': { schema: ref('Problem') } },
      },
    },
  };
}

/** The documents of an apply are taken as they are and judged one by one; here it says what they should be. */
function applyBody(body: Schema): object {
  const documents = { ...body.properties?.documents, items: ref('Resource') };
  return { ...body, properties: { ...body.properties, documents } };
}

function parametersOf(schema: Schema | undefined, place: 'path' | 'query'): object[] {
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || ((schema?.required ?? []).includes(name) && !('default' in property)),
    schema: property,
  }));
}

function answerOf({ answer, stream }: Endpoint): object {
  const content = {
    ...(answer ? json(answer) : {}),
    ...(stream ? { [stream]: { schema: { type: 'string' } } } : {}),
  };
  return { description: 'Done', ...(Object.keys(content).length > 0 ? { content } : {}) };
}

/** As protocol/errors.ts writes it. */
const problem = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string', description: '`urn:evenkeel:error:` and the code' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', enum: Object.keys(errors) },
    detail: { type: 'string' },
    instance: { type: 'string' },
    problems: {
      type: 'array',
      items: {
        type: 'object',
        required: ['code', 'path', 'message'],
        properties: {
          code: { type: 'string', enum: Object.keys(errors) },
          path: { type: 'string', description: 'Where in the request, such as `documents/3/spec/aliases/0`' },
          value: { type: 'string' },
          message: { type: 'string' },
          fix: { type: 'string' },
        },
      },
    },
  },
};
