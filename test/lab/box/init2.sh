#!/bin/sh
# Stage 2 of a box, PID 1 in its own root, or a service where systemd is: a second disk, kept processes, and commands
# from ttyS0 for ever.
#
# Environment from the kernel's command line, or of the service:
#   DATA=/dev/ubdX or empty  SHELL_ON=ttyS1 or empty
# A command is a line `<id> <seconds>`: run /lab/x/<id>.sh, write .out and .err beside it, answer `DONE <id> <code>`.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root TERM=dumb
export PATH HOME TERM

if [ -n "$DATA" ]; then
  mkdir -p /data
  mount -t ext4 -o usrquota,grpquota "$DATA" /data || echo 'lab: the data image does not mount'
fi

# A kept process is started again half a second after it has ended, until somebody writes its .off.
keep() {
  while [ ! -e "/lab/keep/$1.off" ]; do
    setsid sh "/lab/keep/$1.sh" >>"/lab/log/$1.log" 2>&1 </dev/null 5<&- &
    echo $! >"/lab/keep/$1.pid"
    wait $!
    rm -f "/lab/keep/$1.pid"
    sleep 0.5
  done
}

for script in /lab/keep/*.sh; do
  [ ! -e "$script" ] || keep "$(basename "$script" .sh)" &
done

# A shell for people, one at a time, on a terminal of its own. The byte tells whoever looks on that it has ended.
offer_shell() {
  while :; do
    setsid --ctty --wait sh -c 'stty sane; cd /root; TERM=xterm exec bash -i' 0<>"$1" 1>&0 2>&1
    printf '\035' >"$1"
    sleep 0.2
  done
}
[ -z "$SHELL_ON" ] || offer_shell "/dev/$SHELL_ON" &

stty -F /dev/ttyS0 raw -echo
exec 5<>/dev/ttyS0
echo 'READY 0' >&5
while :; do
  # dash's read may fail under load, and PID 1 that leaves is a kernel panic (seen).
  read -r id rest <&5 || {
    sleep 0.05
    continue
  }
  case $id in
    '') ;;
    keep) keep "$rest" & ;;
    poweroff)
      sync
      echo o >/proc/sysrq-trigger
      ;;
    *)
      {
        setsid --wait timeout -s KILL "$rest" sh "/lab/x/$id.sh" >"/lab/x/$id.out" 2>"/lab/x/$id.err" </dev/null 5<&-
        echo "DONE $id $?" >&5
      } &
      ;;
  esac
done
