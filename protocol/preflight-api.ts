/** What is asked of preflight and doctor over HTTP. A part of the table in endpoints.ts. */
import { Type } from 'typebox';
import { Facts } from './messages.ts';
import { Examined, Verdict } from './preflight.ts';
import { Name, Port, Strict } from './values.ts';

export const preflightApi = {
  preflight: {
    method: 'POST',
    path: '/join/v1/preflight',
    access: 'none',
    summary: 'What the manager thinks of a box that wants to join; its invitation is not used up',
    body: Strict({
      secret: Type.String({ maxLength: 200 }),
      name: Name,
      facts: Facts,
      listens: Type.Optional(
        Type.Unsafe<number>({
          ...Port,
          description: 'The box has opened this port for a moment, at the address of this connection',
        }),
      ),
    }),
    answer: Verdict,
  },
  doctor: {
    method: 'GET',
    path: '/api/v1/doctor',
    access: 'viewer',
    summary: 'The manager and every node, looked at now',
    answer: Strict({ items: Type.Array(Examined) }),
  },
  doctorNode: {
    method: 'GET',
    path: '/api/v1/nodes/:name/doctor',
    access: 'viewer',
    summary: 'One node, looked at now by its own agent and by the manager',
    params: Strict({ name: Name }),
    answer: Examined,
  },
} as const;
