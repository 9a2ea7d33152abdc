/** The grammar of kernel files: strict, each mistake with its line and word, and no line that says two things. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLine, parseLines } from '../../agent/kernel/lines.ts';
import { WordError } from '../../agent/kernel/words.ts';

const good = [
  'module ipip',
  'sysctl net.ipv4.conf.all.arp_ignore 1',
  'sysctl net/ipv4/conf/eth0.100/arp_ignore 1',
  'sysctl net.ipv4.conf.*.send_redirects 0',
  'address 192.0.2.10/32 dev lo',
  'address 2001:db8::10/128 dev lo',
  'address 192.0.2.10/32 dev eth0 ours',
  'link tunl0 up type ipip',
  'link eth0 up',
  'card eth0 of vrrpInterface',
  'route default via 10.0.0.2 table 2401',
  'route 198.51.100.0/24 via 10.0.0.2 dev eth1',
  'rule from 10.0.0.11 sport 80 proto tcp table 2401',
  'rule from 2001:db8::11 table 2401',
  'mark 192.0.2.10 tcp 80,443 7',
  'mount nfs4 10.0.0.40:/vol/home /chroot/home hard,timeo=50,ro',
  'mount nfs4 10.0.0.40:/ /srv/all',
  'symlink /home /chroot/home',
  'bind /data/home /run/evenkeel/nfs/data/home',
  'export /data/home 10.0.0.11 rw,sync,fsid=7',
  'export /data/home 10.0.0.0/24 ro',
  'nfsd 8',
  'nfsd 8 lease 30 grace 30',
  'nfsd 8 lease 30 grace 30 host 10.0.0.40',
  'quota ana /data/home 900m 1g',
];

describe('[3.4] lines for the kernel', () => {
  it.each(good)('%s', (line) => {
    expect(parseLines(`# a comment\n\n  ${line}  # and another\n`)).toMatchObject({
      lines: [{ text: line }],
      problems: [],
    });
  });

  it.each([
    ['adress 192.0.2.10/32 dev lo', '1: "adress" is none of '],
    [
      'address 192.0.2.10 dev lo',
      '1: "192.0.2.10" stands where an address with the length of its prefix should',
    ],
    ['address 192.0.2.10/33 dev lo', '1: "192.0.2.10/33" stands where'],
    ['address 192.0.2.10/32 dev', '1: the end of the line stands where the name of a device should'],
    ['address 192.0.2.10/32 dev lo up', '1: "up" is one word too many'],
    ['address 192.0.2.10/32 dev ../lo', '1: "../lo" stands where'],
    ['address 192.0.2.10/32 dev sixteencharslong', '1: "sixteencharslong" stands where'],
    ['sysctl net.ipv4..ip_forward 1', '1: "net.ipv4..ip_forward" stands where the key of a setting should'],
    ['sysctl net.*.*.ip_forward 1', '1: "net.*.*.ip_forward" stands where the key of a setting should'],
    ['sysctl net/../kernel/panic 1', '1: "net/../kernel/panic" stands where'],
    ['sysctl net.ipv4.ip_forward 1;reboot', '1: "1;reboot" stands where a value should'],
    ['module -r', '1: "-r" stands where the name of a module should'],
    ['link tunl0 up type vxlan', '1: "vxlan" stands where ipip or ip6tnl or dummy should'],
    ['route default via nowhere', '1: "nowhere" stands where the address of a gateway should'],
    [
      'route default via 10.0.0.2 table 0',
      '1: "0" stands where the number of a table from 1 to 4294967295 should',
    ],
    ['rule from 10.0.0.11 sport 80 table 1', '1: "table" stands where proto should'],
    ['mount ext4 /dev/sda1 /home', '1: "ext4" stands where nfs4 should'],
    ['mount nfs4 nas:/vol /home', '1: "nas:/vol" stands where a server and its export'],
    ['mount nfs4 10.0.0.40:/vol /home hard;soft', '1: "hard;soft" is one word too many'],
    ['mount nfs4 10.0.0.40:/vol/../etc /home', '1: "10.0.0.40:/vol/../etc" stands where'],
    ['symlink /home ../etc', '1: "../etc" stands where the path that it leads to should'],
    ['export /data * rw', '1: "*" stands where an address or a network should'],
    ['export /data 0.0.0.0/0 rw', '1: "0.0.0.0/0" stands where'],
    ['export /data 10.0.0.11', '1: the end of the line stands where options of the export should'],
    ['nfsd 0', '1: "0" stands where a number of threads from 1 to 4096 should'],
    ['nfsd 8 host files1', '1: "files1" stands where the IPv4 address at which it listens should'],
    ['quota ana /data 1t 2t', '1: "1t" stands where a size such as 900m should'],
    ['mark 192.0.2.10 tcp 80, 7', '1: "80," stands where a list of ports should'],
    ['mark 192.0.2.10 tcp 80,99999 7', '1: "80,99999" stands where'],
    ['mark 192.0.2.10 icmp 80 7', '1: "icmp" stands where tcp or udp should'],
  ])('%s is refused with its line and word', (line, said) => {
    const { lines, problems } = parseLines(line);
    expect(lines).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(said);
  });

  it('say one thing once, and two things about one thing never', () => {
    expect(parseLines('module ipip\nmodule  ipip\n').lines).toHaveLength(1);
    expect(parseLines('sysctl a.b 1\n\nsysctl a.b 2\n').problems).toEqual([
      '3: "sysctl a.b 2" contradicts line 1: sysctl a.b 1',
    ]);
  });

  it('of whatever bytes are read or refused in words, and what is read is read again as the same', () => {
    const word = fc.oneof(
      fc.constantFrom(...new Set(good.flatMap((line) => line.split(' ')))),
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.ipV4(),
      fc.ipV6(),
      fc.nat().map(String),
    );
    const line = fc.array(word, { maxLength: 9 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(line, (text) => {
        try {
          const parsed = parseLine(text);
          expect(parsed.text).not.toMatch(/[^ -~]/);
          expect(parseLine(parsed.text).thing.id).toBe(parsed.thing.id);
        } catch (err) {
          if (!(err instanceof WordError)) throw err;
          expect(err.message.length).toBeGreaterThan(10);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
