/** The description of the API: complete, and free of references that lead nowhere. */
import { expect, it } from 'vitest';
import { openApi } from '../../manager/api/openapi.ts';
import { api, type Endpoint } from '../../protocol/endpoints.ts';
import { kindNames } from '../../protocol/resource.ts';

interface Description {
  openapi: string;
  paths: Record<
    string,
    Record<string, { operationId: string; security: object[]; parameters: { name: string; in: string }[] }>
  >;
  components: { schemas: Record<string, object> };
}

const text = JSON.stringify(openApi());
const described = JSON.parse(text) as Description;
const operations = Object.entries(described.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
);

it('[2.2] OpenAPI 3.1 has every endpoint of the table, once, and no other', () => {
  expect(described.openapi).toBe('3.1.0');
  expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(api).sort());
  for (const { operationId, method, security } of operations) {
    const endpoint: Endpoint = api[operationId as keyof typeof api];
    expect(method.toUpperCase()).toBe(endpoint.method);
    expect(security).toEqual(endpoint.access === 'none' ? [] : [{ token: [] }]);
  }
});

it('[2.2] every place in a path is a parameter, and every parameter of a path has its place', () => {
  for (const { path, parameters } of operations) {
    const places = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
    expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(places);
    expect(path).not.toMatch(/[:*]/);
  }
});

it('[2.2] every reference resolves, and every kind is described', () => {
  const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target);
  expect(references.length).toBeGreaterThan(0);
  for (const target of references) {
    const name = /^#\/components\/schemas\/(.+)$/.exec(target ?? '')?.[1] ?? '';
    expect(described.components.schemas, target).toHaveProperty(name);
  }
  expect(Object.keys(described.components.schemas)).toEqual(expect.arrayContaining([...kindNames]));
});
