/** The one line that makes a bare box a node: it trusts only what is in it (docs/adr/0008-real-boxes.md). */
import type { JoinString } from '../protocol/messages.ts';

/** Debian's smallest root has no curl; and a run that was killed in the middle of apt is finished first. */
const CURL = [
  'command -v curl >/dev/null',
  '{ dpkg --configure -a && apt-get -qq install -y curl; } >/dev/null 2>&1',
  '{ apt-get -qq update && apt-get -qq install -y curl >/dev/null; }',
  'dnf -q -y install curl',
].join(' || ');

const CERTIFICATE = "'-----BEGIN CERTIFICATE-----\\n%s\\n-----END CERTIFICATE-----\\n'";

/**
 * For a shell of root. The download is verified by the authority's own certificate, and the installer by its sum.
 * @param text the join string, as the manager made it
 * @returns nothing where the manager has no installer to give: it runs from a checkout
 */
export function pastedLine(text: string, name: string | undefined): string | undefined {
  const { address, port, ca, installer } = JSON.parse(
    Buffer.from(text, 'base64url').toString(),
  ) as JoinString;
  if (installer === undefined) return undefined;
  const host = address.includes(':') ? `[${address}]` : address;
  const steps = [
    'D=$(mktemp -d)',
    `{ ${CURL}; }`,
    `printf -- ${CERTIFICATE} "$(printf %s '${ca}' | fold -w 64)" >$D/ca.crt`,
    `curl -fsS --cacert $D/ca.crt -o $D/install.sh https://${host}:${port}/install.sh`,
    `{ echo '${installer}  '$D/install.sh | sha256sum -c --status || { echo 'that installer is not the one of this invitation; make a new one' >&2; false; }; }`,
    `sh $D/install.sh agent --join ${text}${name === undefined ? '' : ` --name ${name}`}`,
  ];
  return steps.join(' && ');
}
