/** Daemons of other protocols for the boxes, each with the least that it starts with, and each saying on which box it is. */

/** One process for all who come: in a box it takes long to start one. */
const standing = (protocol: string): string =>
  `service ${protocol}-login {\n  service_count = 0\n  process_min_avail = 1\n}`;

/** @param protocols of Dovecot: imap pop3 submission (the smtp of a mail program, at 587) */
export const dovecot = (name: string, protocols: string): string => `mkdir -p /run/dovecot
cat >/etc/dovecot/lab.conf <<X
protocols = ${protocols}
listen = *
ssl = no
hostname = ${name}.example.org
login_greeting = ${name}.example.org
log_path = /lab/log/dovecot.log
${protocols.split(' ').map(standing).join('\n')}
passdb {
  driver = static
  args = password=x
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=/tmp
}
X
exec dovecot -F -c /etc/dovecot/lab.conf`;

export const PASSIVE = [30_000, 30_001, 30_002, 30_003];

/** Anyone may read the file `who`; data goes over the passive ports. */
export const vsftpd = (name: string): string => `mkdir -p /srv/ftp /run/vsftpd; echo ${name} >/srv/ftp/who
cat >/etc/vsftpd-lab.conf <<X
listen=YES
listen_ipv6=NO
background=NO
run_as_launching_user=YES
seccomp_sandbox=NO
anonymous_enable=YES
anon_root=/srv/ftp
secure_chroot_dir=/run/vsftpd
ftpd_banner=${name}
pasv_min_port=${PASSIVE[0]}
pasv_max_port=${PASSIVE.at(-1)}
xferlog_enable=NO
X
exec vsftpd /etc/vsftpd-lab.conf`;

/** Its TXT record for who.example.org is its name. */
export const dnsmasq = (
  name: string,
): string => `exec dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= \\
  --user= --no-resolv --no-hosts --local=/example.org/ --txt-record=who.example.org,${name}`;
