/** A process that writes as fast as it can and says on stdout what was acknowledged, until it is killed. */
import { systemClock } from '../../../common/clock.ts';
import { createLog } from '../../../common/log.ts';
import { rules } from '../../../manager/desired/rules.ts';
import { openStore } from '../../../manager/store/open.ts';
import { puts, site } from './declared.ts';

const [file = '', run = ''] = process.argv.slice(2);
const store = await openStore({
  file,
  rules,
  clock: systemClock,
  log: createLog('writer', 'silent'),
  create: true,
});
const lane = async (at: number) => {
  for (let n = 0; ; n += 1) {
    const name = `r${run}-${at}-${n}.example.org`;
    const { revision } = await store.write({ actor: 'writer', edits: puts(site(name)) });
    process.stdout.write(`${revision} ${name}\n`);
  }
};
await Promise.all(Array.from({ length: 50 }, (_, at) => lane(at)));
