/** What the boxes of the contract have declared: one service with two members, who are on the box's own loopback. */
export const VIP = '192.0.2.10';
export const RUN = '/run/contract';
export const ADDRESSES = { n1: '127.0.1.11', n2: '127.0.1.12' } as const;
