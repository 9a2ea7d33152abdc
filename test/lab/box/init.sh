#!/bin/sh
# Stage 1 of a box, PID 1 of its kernel. The root is the host's / (hostfs, read-only), or a Debian of its own; what the
# box writes goes to a layer of its own: memory, or a disk image that survives a power cut.
#
# Words of the kernel's command line that it does not know come here as environment (guest.ts writes them):
#   NODE=name  LABDIR=host folder that the box may write  DISK=/dev/ubdX or empty  HIDE=host folders, by colons
#   LOWER=the folder of a Debian that boots with its own systemd, or empty  NICS=number of network cards
#   HOST=last number of its addresses  DATA=/dev/ubdX or empty
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

give_up() {
  echo "lab: $*"
  echo o >/proc/sysrq-trigger
  sleep 60
}

mount -t proc proc /proc
modules=/usr/lib/uml/modules/$(uname -r)
insmod "$modules/kernel/fs/overlayfs/overlay.ko" || give_up "no overlay module in $modules"

if [ -n "$DISK" ]; then
  mount -t ext4 "$DISK" /mnt || give_up "the disk image does not mount"
else
  mount -t tmpfs -o size=75%,mode=755 layer /mnt
fi
mkdir -p /mnt/up /mnt/work /mnt/root
root=/mnt/root
mount -t overlay -o lowerdir="${LOWER:-/}",upperdir=/mnt/up,workdir=/mnt/work root $root || give_up 'the overlay does not mount'

mount -t proc proc $root/proc
mount -t sysfs sys $root/sys
mount -t devtmpfs dev $root/dev
mkdir -p $root/dev/pts $root/dev/shm
mount -t devpts -o mode=620,gid=5 devpts $root/dev/pts
mount -t tmpfs -o mode=1777 shm $root/dev/shm
mount -t tmpfs -o mode=755 run $root/run
mount -t tmpfs -o mode=1777 tmp $root/tmp

# A product that the host itself runs is none of the box's business, nor is whatever else is to be hidden.
if [ ! -e /mnt/up/lab ]; then
  rm -rf $root/var/lib/evenkeel $root/var/log/evenkeel $root/etc/evenkeel
  rm -f $root/etc/nginx/sites-enabled/* $root/etc/keepalived/keepalived.conf $root/etc/exports
fi
echo "$HIDE" | tr : '\n' | while read -r folder; do
  [ ! -d "$root$folder" ] || mount -t tmpfs -o ro,size=4k hidden "$root$folder"
done

# Large frames made by offload do not fit through a tap: TCP between two boxes falls to 0.4 MB/s from 57 (measured).
# A card that is down takes the wish and keeps its offload.
card() {
  ip link set "vec$1" address "02:4c:4b:00:0$1:$(printf %02x "$HOST")"
  ip addr add "10.$((77 + $1)).0.$HOST/24" dev "vec$1"
  ip link set "vec$1" up
  ethtool -K "vec$1" tso off gso off gro off >/dev/null 2>&1
  ip -6 addr add "fd$((77 + $1))::$HOST/64" dev "vec$1" nodad
}

# Before the first address: a box whose IPv6 comes later has none on its cards. A bare Debian has no `ip`, the host has.
insmod "$modules/kernel/lib/crc-ccitt.ko"
insmod "$modules/kernel/net/ipv6/ipv6.ko" || give_up 'no IPv6'
ip link set lo up
nic=0
while [ "$nic" -lt "$NICS" ]; do
  card "$nic"
  nic=$((nic + 1))
done
ip route add default via 10.77.0.1
ip -6 route add default via fd77::1

# The only host folder that the box can write.
mkdir -p $root/lab
mount -t hostfs -o "$LABDIR" none $root/lab || give_up "$LABDIR does not mount"

# Where modprobe looks: in the box alone, so that the host needs no link.
mkdir -p "$root/lib/modules/$(uname -r)"
mount --bind "$modules" "$root/lib/modules/$(uname -r)" || give_up 'no modules for the box'

hostname "$NODE"
echo "$NODE" >$root/etc/hostname
echo "127.0.0.1 localhost $NODE" >$root/etc/hosts
echo "$NODE" | md5sum | cut -c1-32 >$root/etc/machine-id

# A Debian of its own boots as it would, without what takes long here and nobody looks at.
if [ -n "$LOWER" ]; then
  units=$root/etc/systemd/system
  mkdir -p $units/multi-user.target.wants
  for unit in modprobe@.service e2scrub_reap.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer fstrim.timer e2scrub_all.timer systemd-update-utmp.service systemd-tmpfiles-clean.timer \
    systemd-update-utmp-runlevel.service systemd-random-seed.service systemd-sysusers.service \
    systemd-pcrphase-sysinit.service dev-hugepages.mount sys-fs-fuse-connections.mount; do
    ln -sf /dev/null "$units/$unit"
  done
  {
    printf '[Unit]\nAfter=basic.target\n[Service]\nKillMode=process\nEnvironment=HOST=%s DATA=%s SHELL_ON=%s\n' \
      "$HOST" "$DATA" "$SHELL_ON"
    printf 'ExecStart=/bin/sh /lab/init2.sh\n'
  } >$units/lab.service
  ln -sf ../lab.service $units/multi-user.target.wants/lab.service
  cd $root || give_up 'no root'
  exec switch_root $root /lib/systemd/systemd --unit=multi-user.target --show-status=0
fi
cd $root || give_up 'no root'
exec switch_root $root /lab/init2.sh
