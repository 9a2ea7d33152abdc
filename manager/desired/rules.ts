/** The rules as one value: what manager.ts hands to the store. */
import type { Rules } from '../../common/rules.ts';
import { admit } from './admit.ts';
import { decide } from './changes.ts';
import { guard } from './guard.ts';
import { followedScopes, interestsOf, scopesOf } from './select.ts';

export const rules: Rules = { admit, guard, decide, followedScopes, interestsOf, scopesOf };
