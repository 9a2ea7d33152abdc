#!/bin/sh
# PID 1 of the lab's own namespaces (namespace.ts): makes the place ready, runs what it is told, reaps, and ends with it.
set -eu

# The memory of every box is a file here, and so are the disks of suites; a container's own is often too small.
mount -t tmpfs -o mode=1777,size=80% lab /dev/shm
ip link set lo up
"$@" && code=0 || code=$?
exit "$code"
