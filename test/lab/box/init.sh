#!/bin/sh
# Stage 1 of a box, PID 1 of its kernel. The root is the host's / (hostfs, read-only); what the box writes goes to a
# layer of its own: memory, or a disk image that survives a power cut.
#
# Words of the kernel's command line that it does not know come here as environment (guest.ts writes them):
#   NODE=name  LABDIR=host folder that the box may write  DISK=/dev/ubdX or empty  HIDE=host folders, by colons
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
mount -t overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work root $root || give_up 'the overlay does not mount'

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

# The only host folder that the box can write.
mkdir -p $root/lab
mount -t hostfs -o "$LABDIR" none $root/lab || give_up "$LABDIR does not mount"

# Where modprobe looks: in the box alone, so that the host needs no link.
mkdir -p $root/lib/modules
ln -sfn "$modules" "$root/lib/modules/$(uname -r)"

hostname "$NODE"
echo "$NODE" >$root/etc/hostname
echo "127.0.0.1 localhost $NODE" >$root/etc/hosts
echo "$NODE" | md5sum | cut -c1-32 >$root/etc/machine-id
cd $root || give_up 'no root'
exec switch_root $root /lab/init2.sh
