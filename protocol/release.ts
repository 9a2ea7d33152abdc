/** What a box fetches before it is anybody's: the installer and the agent. A part of the table in endpoints.ts. */

export const releaseApi = {
  installer: {
    method: 'GET',
    path: '/install.sh',
    access: 'none',
    summary: 'The installer; its sum is in every join string',
    stream: 'text/plain',
  },
  agentBundle: {
    method: 'GET',
    path: '/release/agent.tar.gz',
    access: 'none',
    summary: 'The agent with all that it runs on; its sum is in the installer',
    stream: 'application/octet-stream',
  },
} as const;
