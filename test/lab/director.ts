/** A director by hand: keepalived and addresses as an administrator would write them, for as long as the product has no say. */
import type { Lab } from './cluster.ts';
import type { Guest } from './guest.ts';
import { VIP } from './web.ts';

const realServer = ({ address }: Guest) => `
  real_server ${address} 80 {
    HTTP_GET {
      url { path / status_code 200 }
      connect_timeout 1
      retry 1
      delay_before_retry 0.3
    }
  }`;

const config = (members: Guest[]) => `
virtual_server ${VIP} 80 {
  delay_loop 0.5
  lb_algo rr
  lb_kind DR
  protocol TCP${members.map(realServer).join('')}
}`;

/** LVS by direct routing: the address answers at the director, and is known to its members on their loopback alone. */
export async function direct(lab: Lab, director: string, members: string[]): Promise<void> {
  const boxes = members.map((name) => lab.box(name));
  const arp = '/proc/sys/net/ipv4/conf/all';
  await Promise.all(
    boxes.map((box) =>
      box.run(`echo 1 >${arp}/arp_ignore; echo 2 >${arp}/arp_announce; ip addr add ${VIP}/32 dev lo`),
    ),
  );
  const box = lab.box(director);
  await box.run(`modprobe ip_vs; modprobe ip_vs_rr; ip addr add ${VIP}/32 dev vec0
    cat >/etc/keepalived/keepalived.conf <<'END'\n${config(boxes)}\nEND`);
  await box.keep('keepalived', 'exec keepalived -C -I -n -l -D');
}
