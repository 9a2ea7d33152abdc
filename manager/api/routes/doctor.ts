/** The doctor: how the manager and the nodes are, looked at now. */
import type { Given } from '../given.ts';
import type { Handlers } from '../mount.ts';

export const doctorRoutes = ({ doctor }: Given): Pick<Handlers, 'doctor' | 'doctorNode'> => ({
  doctor: async () => ({ items: await doctor.all() }),
  doctorNode: ({ params: { name } }) => doctor.node(name),
});
