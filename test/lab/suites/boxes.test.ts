/** The boxes of the lab keep the promises of real ones: power, disks, cables, clocks, and an end that leaves nothing. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { createBoxes } from '../boxes.ts';
import type { Guest } from '../guest.ts';
import { checkout } from '../host.ts';
import { spawnInside } from '../namespace.ts';
import { useBoxes } from '../use-lab.ts';

const answers = (address: string): boolean => {
  try {
    execFileSync('ping', ['-c', '1', '-W', '1', address], { stdio: 'ignore' });
    return true;
  } catch {
    return false; // ping says by its code that nobody answered
  }
};

const clockOf = async (box: Guest) => Number(await box.run('date +%s')) * 1000;

describe('[3.1] a box', () => {
  const get = useBoxes([{ name: 'kept', disk: 96 }, { name: 'plain' }]);
  const kept = () => get().box('kept');
  const plain = () => get().box('plain');

  it('[3.1] boots again within its deadline, as a box of its own', async () => {
    await plain().powerCut();
    const ms = await plain().boot();
    process.stdout.write(`a box boots in ${(ms / 1000).toFixed(1)} s\n`);
    expect((await plain().run('hostname')).trim()).toBe('plain');
    await plain().run('test -e /proc/net/ip_vs || modprobe ip_vs; modprobe nfsd; test -e /proc/net/ip_vs');
  });

  it('[3.1] has files of its own and sees none of the checkout', async () => {
    await kept().run('echo mine >/etc/lab-test; echo mine >/var/lab-test');
    expect((await plain().sh('cat /etc/lab-test /var/lab-test')).code).not.toBe(0);
    expect(existsSync('/etc/lab-test')).toBe(false);
    // Below /tmp it is not even there: a box has a /tmp of its own.
    expect((await plain().run(`[ ! -e ${checkout} ] || ls -A ${checkout}`)).trim()).toBe('');
    expect(readdirSync('/').includes('lab')).toBe(false);
  });

  it('[3.1] keeps at a power cut what was synced to its disk, and loses what was not', async () => {
    await kept().run('echo synced >/var/synced; sync; echo lost >/var/unsynced');
    await kept().powerCut();
    expect(kept().isOn).toBe(false);
    await kept().boot();
    expect(await kept().run('cat /var/synced')).toBe('synced\n');
    expect((await kept().sh('cat /var/unsynced')).stdout).not.toBe('lost\n');
  });

  it('[3.1] without a disk begins anew after a power cut', async () => {
    await plain().run('echo gone >/var/gone; sync');
    await plain().powerCut();
    await plain().boot();
    expect((await plain().sh('cat /var/gone')).code).not.toBe(0);
  });

  it('[3.1] is unreachable while its cable is out, and comes back', async () => {
    const { address } = kept();
    await until('it answers', () => answers(address));
    kept().cut();
    await until('it answers no more', () => !answers(address));
    expect((await kept().run('echo alive')).trim()).toBe('alive');
    kept().join();
    await until('it answers again', () => answers(address));
  });

  it('[3.1] is slow as it was told to be, and fast again', async () => {
    const delay = () =>
      `ping -c 3 -i 0.2 -q ${plain().address} | sed -n 's|^rtt .* = \\([0-9.]*\\)/.*|\\1|p'`;
    await kept().slow({ delay: '300ms' });
    expect(Number(await kept().run(delay()))).toBeGreaterThanOrEqual(300);
    await kept().fast();
    expect(Number(await kept().run(delay()))).toBeLessThan(300);
  });

  it('[3.1] has a clock of its own', async () => {
    await kept().skew(3600);
    const [own, other, host] = [await clockOf(kept()), await clockOf(plain()), Date.now()];
    expect(own - host).toBeGreaterThan(3_500_000);
    expect(Math.abs(other - host)).toBeLessThan(60_000);
  });

  it('[3.1] hangs when it is frozen, and goes on where it was', async () => {
    await plain().run('echo before >/tmp/before');
    plain().freeze();
    expect(answers(plain().address)).toBe(false);
    plain().thaw();
    expect(await plain().run('cat /tmp/before')).toBe('before\n');
  });

  it('[3.1] speaks to another at a pace that offload would cripple', async () => {
    await plain().run('head -c 24000000 /dev/zero >/tmp/large');
    const server = "http.createServer((_, a) => fs.createReadStream('/tmp/large').pipe(a)).listen(8080)";
    await plain().keep('serve', `exec ${process.execPath} -e "${server}"`);
    const url = `http://${plain().address}:8080/`;
    await until(
      'it serves',
      async () => (await kept().sh(`curl -s -m 3 -I -o /dev/null ${url}`)).code === 0,
      20_000,
    );
    // At the 0.4 MB/s of a box with offload this takes a minute.
    expect(await kept().run(`curl -s -m 20 -o /dev/null -w '%{size_download}' ${url}`)).toBe('24000000');
  });

  it('[3.1] starts a kept process again, when it was killed and at every boot', async () => {
    await kept().keep('sleeper', 'echo started >>/lab/log/sleeper.count; exec sleep 1000');
    const count = () => {
      const file = join(kept().folder, 'log', 'sleeper.count');
      return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
    };
    await until('started', () => count() === 1);
    await kept().killKept('sleeper', { again: true });
    await until('started again', () => count() === 2);
    await kept().powerCut();
    await kept().boot();
    await until('started at boot', () => count() === 3);
    await kept().killKept('sleeper');
    await kept().run('sleep 1; test ! -e /lab/keep/sleeper.pid');
    expect(count()).toBe(3);
  });
});

const running = (): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => wordsOf(pid));

function wordsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // it ended meanwhile
  }
}

const placesNow = (): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => placeOf(pid));

function placeOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return ''; // it ended meanwhile
  }
}

describe('[3.1] the end', () => {
  it('[3.1] of boxes leaves no process, no folder and no network device', async () => {
    const devices = () => execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' });
    const before = devices();
    const boxes = createBoxes([{ name: 'last', host: 31 }]);
    await boxes.boot();
    expect(running().some((words) => words.includes('umid=last'))).toBe(true);
    await boxes.stop();
    expect(running().filter((words) => words.includes('umid=last'))).toEqual([]);
    expect(existsSync(boxes.folder)).toBe(false);
    expect(devices()).toBe(before);
  });

  it('[3.1] of a place leaves nobody in it, and so no namespace', async () => {
    const inner = 'sleep 600 & readlink /proc/self/ns/net; wait';
    const child = spawnInside('inner', ['sh', '-c', inner], { stdio: ['ignore', 'pipe', 'ignore'] });
    const place = await new Promise<string>((resolve) => {
      child.stdout?.once('data', (said: Buffer) => resolve(said.toString().trim()));
    });
    expect(placesNow()).toContain(place);
    child.kill('SIGKILL');
    await until('nobody is in there', () => !placesNow().includes(place));
  });
});
