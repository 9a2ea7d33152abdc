#!/bin/sh
# Makes a Debian machine with Node 20 ready to run Evenkeel from this checkout; silent when all is there.
#
#   sh scripts/ready.sh            npm packages, and Debian packages when root
#   sh scripts/ready.sh packages   only the Debian packages (for root, on behalf of somebody else)
#   sh scripts/ready.sh lab        as without a word, and for root what the lab's boxes need (docs/lab.md)
#
# Promises: no daemon of a package is started or enabled at boot, no package is removed to make room, an earlier
# policy-rc.d is put back also after an interrupt, nothing is fetched when nothing is missing, and parallel runs wait
# for each other.
set -eu

cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

policy=/usr/sbin/policy-rc.d
policy_before=$policy.before-evenkeel
policy_mark='# placed by evenkeel scripts/ready.sh while it installs packages'
stamp=node_modules/.evenkeel-ready
sqlite_binding=node_modules/sqlite3/build/Release/node_sqlite3.node

say() { printf 'ready: %s\n' "$*" >&2; }

give_up() {
  say "$@"
  exit 1
}

is_root() { [ "$(id -u)" = 0 ]; }

# --- Debian packages -------------------------------------------------------------------------------------

need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need_file() { [ -e "$1" ] || missing="$missing $2"; }

# Compilers are asked for only while sqlite3 has not been compiled.
find_missing_packages() {
  missing=
  need nginx nginx-light
  need apache2 apache2
  need haproxy haproxy
  need keepalived keepalived
  need mosquitto_pub mosquitto-clients
  need faketime faketime
  need curl curl
  need openssl openssl
  need systemd-notify systemd
  need groff groff-base
  need vsftpd vsftpd
  need dnsmasq dnsmasq-base
  need_file /usr/lib/dovecot/imap-login dovecot-imapd
  need_file /usr/lib/dovecot/pop3-login dovecot-pop3d
  need_file /usr/lib/dovecot/submission-login dovecot-submissiond
  [ "$for_lab" = no ] || find_missing_for_lab
  if [ ! -e "$sqlite_binding" ]; then
    need gcc gcc
    need g++ g++
    need make make
    need python3 python3
    need_file /usr/include/sqlite3.h libsqlite3-dev
  fi
  missing=${missing# }
}

# The boxes of the lab run on the host's own files, so their daemons and tools are the host's packages.
find_missing_for_lab() {
  need linux.uml user-mode-linux
  need uml_mconsole uml-utilities
  need modprobe kmod
  need ip iproute2
  need tc iproute2
  need ethtool ethtool
  need ping iputils-ping
  need unshare util-linux
  need mmdebstrap mmdebstrap
  need mkfs.ext4 e2fsprogs
  need iptables iptables
  need ipvsadm ipvsadm
  need exportfs nfs-kernel-server
  need setquota quota
  need mount.nfs nfs-common
  need rsync rsync
}

guard_was_left() {
  [ -e "$policy_before" ] || { [ -e "$policy" ] && grep -qxF "$policy_mark" "$policy" 2>/dev/null; }
}

raise_guard() {
  printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy.evenkeel-new"
  chmod 755 "$policy.evenkeel-new"
  if [ -e "$policy" ] || [ -L "$policy" ]; then mv "$policy" "$policy_before"; fi
  mv "$policy.evenkeel-new" "$policy"
}

# Right after any interruption: a saved policy wins, and only a guard of ours is removed.
lower_guard() {
  rm -f "$policy.evenkeel-new"
  if [ -e "$policy_before" ] || [ -L "$policy_before" ]; then
    mv -f "$policy_before" "$policy"
  elif [ -e "$policy" ] && grep -qxF "$policy_mark" "$policy"; then
    rm -f "$policy"
  fi
}

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confold "$@" </dev/null >&2
}

update_lists() {
  say 'apt-get update'
  apt update
}

# Old package lists are tried first; they are renewed when a package is unknown or its file has gone.
install_missing() {
  # shellcheck disable=SC2086 # one word a package
  set -- install -y --no-remove --no-install-recommends $missing
  apt-get -qq -s "$@" >/dev/null 2>&1 || update_lists
  apt "$@" || { update_lists && apt "$@"; }
}

installed_packages() { dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort; }

disable_unit() {
  if command -v systemctl >/dev/null 2>&1; then
    systemctl --quiet disable "$1" >/dev/null 2>&1 || say "could not disable $1 at boot"
    return
  fi
  deb-systemd-helper disable "$1" >/dev/null 2>&1 || true
  init=${1%.service}
  if [ -e "/etc/init.d/$init" ]; then update-rc.d "$init" disable >/dev/null 2>&1 || true; fi
}

# Only what this run has brought in is disabled: a daemon that was here before is the operator's own.
disable_new_daemons() {
  installed_packages | comm -13 "$1" - | while read -r package; do
    dpkg -L "$package" | sed -n 's|^\(/usr\)\{0,1\}/lib/systemd/system/\([^/@]*\.service\)$|\2|p' |
      while read -r unit; do disable_unit "$unit"; done
  done
}

# Without this, an install that was cut short would block every later one.
finish_interrupted_dpkg() {
  [ -z "$(ls -A /var/lib/dpkg/updates 2>/dev/null)" ] || dpkg --configure -a </dev/null >&2
}

leave_no_trace() {
  disable_new_daemons "$before"
  lower_guard
  rm -f "$before"
}

install_packages() {
  exec 8>/run/lock/evenkeel-ready.lock
  flock 8
  lower_guard
  find_missing_packages
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null 2>&1 || give_up "this is not Debian; install by hand: $missing"
  say "installing Debian packages, their daemons stay off: $missing"
  before=$(mktemp)
  trap 'leave_no_trace' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  installed_packages >"$before"
  raise_guard
  finish_interrupted_dpkg
  install_missing || true
  leave_no_trace
  trap - EXIT INT TERM HUP
  find_missing_packages
  [ -z "$missing" ] || give_up "these Debian packages could not be installed: $missing"
  exec 8>&-
}

ask_for_packages() {
  say "these Debian packages are missing: $missing"
  say 'run this one line, then try again (it starts no daemon):'
  printf '  sudo sh %s/scripts/ready.sh packages\n' "$PWD" >&2
  exit 1
}

# --- npm packages ----------------------------------------------------------------------------------------

lock_sum() { cksum <package-lock.json; }

npm_is_ready() {
  [ -e "$sqlite_binding" ] && [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$(lock_sum)" ]
}

# True when node_modules holds exactly what the lock file names, whoever installed it and whenever.
matches_lock() {
  [ -e node_modules/.package-lock.json ] && node -e '
    const read = (path) => JSON.parse(require("node:fs").readFileSync(path, "utf8")).packages;
    const wanted = read("package-lock.json");
    const have = read("node_modules/.package-lock.json");
    const same = ([path, { version }]) => wanted[path]?.version === version;
    const there = ([path, entry]) => path === "" || entry.optional || entry.devOptional || path in have;
    const right = Object.entries(have).every(same) && Object.entries(wanted).every(there);
    process.exit(right ? 0 : 1);'
}

check_node() {
  command -v node >/dev/null 2>&1 || give_up 'Node 20.19 or newer is needed, and there is no node in PATH'
  node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1);' ||
    give_up "Node 20.19 or newer is needed, this is $(node --version)"
}

# With the headers of Node and of SQLite at hand, sqlite3 compiles without a download and in a sixth of the time.
prepare_compile() {
  export npm_config_build_from_source=true JOBS="${JOBS:-max}"
  [ ! -e /usr/include/sqlite3.h ] || export npm_config_sqlite=/usr
  [ -z "${npm_config_nodedir:-}" ] || return 0
  case $(npm config get nodedir --loglevel=silent 2>/dev/null) in
    '' | undefined | null) ;;
    *) return 0 ;;
  esac
  prefix=$(node -p 'path.dirname(path.dirname(fs.realpathSync(process.execPath)))')
  [ ! -e "$prefix/include/node/node_api.h" ] || export npm_config_nodedir="$prefix"
}

install_npm() {
  exec 9<scripts/ready.sh
  flock 9
  npm_is_ready && return 0
  check_node
  if ! matches_lock; then
    say 'installing npm packages and compiling sqlite3 (about half a minute)'
    prepare_compile
    npm ci --no-audit --no-fund --loglevel=error >&2 || give_up 'npm ci failed, see above'
  fi
  if [ ! -e "$sqlite_binding" ]; then
    say 'compiling sqlite3'
    prepare_compile
    npm rebuild sqlite3 --foreground-scripts --loglevel=error >&2 || give_up 'sqlite3 did not compile, see above'
  fi
  lock_sum >"$stamp"
  exec 9<&-
}

# --- in order --------------------------------------------------------------------------------------------

for_lab=no
if [ "${1:-}" = lab ] && is_root; then for_lab=yes; fi
find_missing_packages
if [ -n "$missing" ] || guard_was_left; then
  if is_root; then
    install_packages
  elif [ -n "$missing" ]; then
    ask_for_packages
  fi
fi
[ "${1:-}" != packages ] || exit 0
npm_is_ready || install_npm
