/** JSON merge patch, RFC 7396: what the patch names is replaced, null takes away, the rest stays. Pure. */

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [field, value] of Object.entries(patch))
    if (value === null) merged.delete(field);
    else merged.set(field, mergePatch(merged.get(field), value));
  return Object.fromEntries(merged);
}
