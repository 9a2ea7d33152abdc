/** Template: the Handlebars text of one kind of file, named by its path below templates/. */
import { type Static, Type } from 'typebox';
import { OneOf, RelativePath, Strict } from '../values.ts';

export const TemplateName = RelativePath;

export const TemplateSpec = Strict({
  syntax: OneOf(['nginx', 'apache', 'haproxy', 'keepalived', 'kernel', 'plain'], {
    description: 'Whose escaping rules hold for the values in it',
  }),
  text: Type.String({ maxLength: 262_144, description: 'Handlebars, strict: a missing value is an error' }),
});
export type TemplateSpec = Static<typeof TemplateSpec>;
