#!/bin/sh
# Puts Evenkeel on this box, makes it newer, or takes it away.
#
#   install.sh manager [--address A] [--balancer B]      this box becomes the Cluster Manager
#   install.sh agent --join STRING [--name N] [--address A]
#                                                        this box becomes a node; `evenkeel node invite` prints the line
#   install.sh upgrade                                   the release beside this script becomes the one that runs
#   install.sh uninstall [--keep-data]                   nothing of Evenkeel is left
#
#   --dry-run   say what would be done, and do nothing
#   --yes       do not ask
#
# It looks before it changes anything, says what it changes, and can be run again at any time: what is done already is
# left as it is. When a step fails it takes back what it did, and says what to mend. docs/install.md, docs/adr/0008.
set -eu
LC_ALL=C
export LC_ALL
umask 022
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# Written by `npm run release`, and by the manager's copy for nodes.
pinned_release=
pinned_machine=
pinned_bundle=

# Tests lay a box out in a folder.
box=${EVENKEEL_BOX:-}
lib=$box/usr/lib/evenkeel
state=$box/var/lib/evenkeel
data=$box/var/lib/evenkeel-manager
notes=$box/var/lib/evenkeel-install
units=$box/etc/systemd/system
here=$(cd "$(dirname "$0")" && pwd)

# What it needs on disk: two releases of 110 MB and room to work.
space_mb=400

# --- words -----------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
warn() { printf 'evenkeel: %s\n' "$*" >&2; }

# What is wrong, then how to mend it.
fail() {
  warn "$1"
  if [ $# -gt 1 ]; then printf '  to mend it: %s\n' "$2" >&2; fi
  exit 1
}

usage() {
  sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//p;}' "$0"
}

is_dry() { [ "$dry" = yes ]; }

# Says a change, and tells its caller whether to make it.
change() {
  changed=yes
  if is_dry; then
    say "would $1"
    return 1
  fi
  say "$1"
}

confirm() {
  if is_dry || [ "$yes" = yes ]; then return 0; fi
  [ -t 0 ] || fail "$1 needs an answer, and there is no terminal to ask on" 'add --yes'
  printf '%s Go on? [y/N] ' "$1"
  read -r answer
  case $answer in y | Y | yes) ;; *) fail 'stopped, nothing was changed' ;; esac
}

# --- taking back -----------------------------------------------------------------------------------------

# One line a change that can be taken back: a verb and what it is about. It is on disk before the change is made.
note() {
  mkdir -p "$notes"
  grep -qxF "$*" "$notes/undo" 2>/dev/null || printf '%s\n' "$*" >>"$notes/undo"
}

take_back_one() {
  verb=$1
  shift
  case $verb in
    folder) rm -rf "$1" ;;
    file) rm -f "$1" ;;
    empty) rmdir "$1" 2>/dev/null || true ;;
    unit) quiet systemctl disable --now "$1" ;;
    user) quiet userdel "$1" ;;
    link) ln -sfn "$2" "$1.old" && mv -Tf "$1.old" "$1" ;;
  esac
}

take_back() {
  ! is_dry || return 0
  [ -z "$brought" ] || remove_packages
  [ -s "$notes/undo" ] || return 0
  warn 'taking back what was done'
  sed '1!G;h;$!d' "$notes/undo" >"$notes/undo.reversed"
  while read -r line; do
    # shellcheck disable=SC2086 # one word each: none of them has spaces
    take_back_one $line || warn "could not take back: $line"
  done <"$notes/undo.reversed"
  rm -rf "$notes"
  quiet systemctl daemon-reload
}

forget_undo() { rm -rf "$notes"; }

# What an earlier run was killed over is not taken back any more once its service was enabled: others may stand on it.
keep_what_stands() {
  is_dry && return 0
  for service in manager agent; do
    if systemctl is-enabled --quiet "evenkeel-$service.service" 2>/dev/null; then forget_undo; fi
  done
  undo_on_failure=yes
}

quiet() { "$@" </dev/null >/dev/null 2>&1 || true; }

on_exit() {
  code=$?
  rm -rf "${scratch:-}"
  lower_guard
  if [ "$code" -ne 0 ] && [ "$undo_on_failure" = yes ]; then
    trap '' INT TERM HUP
    take_back
  fi
  exit "$code"
}

# --- looking ---------------------------------------------------------------------------------------------

has() { command -v "$1" >/dev/null 2>&1; }

os_field() { sed -n "s/^$1=//p" "$box/etc/os-release" 2>/dev/null | sed 's/^"\(.*\)"$/\1/' | head -n 1; }

find_family() {
  [ -r "$box/etc/os-release" ] || fail 'there is no /etc/os-release, so this system is unknown' \
    'use Debian, Ubuntu or a relative of RHEL'
  for id in $(os_field ID) $(os_field ID_LIKE); do
    case $id in
      debian | ubuntu) family=debian ;;
      rhel | centos | fedora | rocky | almalinux) family=rhel ;;
      *) continue ;;
    esac
    return 0
  done
  fail "$(os_field PRETTY_NAME) is neither Debian, Ubuntu nor a relative of RHEL" 'use a box with one of these'
}

check_box() {
  find_family
  machine=$(uname -m)
  [ -z "$pinned_machine" ] || [ "$machine" = "$pinned_machine" ] ||
    fail "this release is for $pinned_machine, this box is $machine" "make a release on a $machine box"
  [ -d "$box/run/systemd/system" ] || fail 'systemd does not run here, and it keeps the services of Evenkeel alive' \
    'use a box that has booted with systemd'
  for program in tar gzip sha256sum sed awk; do
    has "$program" || fail "there is no $program" "$(install_line "$program")"
  done
  check_space
}

check_space() {
  for folder in "$box/usr/lib" "$box/var/lib"; do
    free=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$space_mb" ] || fail "$folder has $free MB free, $space_mb are needed" "make room on the disk of $folder"
  done
}

install_line() {
  case $family in
    debian) printf 'apt-get install %s' "$*" ;;
    rhel) printf 'dnf install %s' "$*" ;;
  esac
}

# --- packages of the distribution ------------------------------------------------------------------------

policy=$box/usr/sbin/policy-rc.d
guard_mark='# placed by the installer of Evenkeel while it installs packages'

# A daemon that starts on its own would take the port of the one that the agent starts.
raise_guard() {
  [ "$family" = debian ] || return 0
  guarded=yes
  if [ -e "$policy" ] && ! grep -qxF "$guard_mark" "$policy"; then mv "$policy" "$policy.before-evenkeel"; fi
  printf '#!/bin/sh\n%s\nexit 101\n' "$guard_mark" >"$policy"
  chmod 755 "$policy"
}

lower_guard() {
  [ "$guarded" = yes ] || return 0
  if [ -e "$policy" ] && grep -qxF "$guard_mark" "$policy" 2>/dev/null; then rm -f "$policy"; fi
  if [ -e "$policy.before-evenkeel" ]; then mv -f "$policy.before-evenkeel" "$policy"; fi
}

# A package of two architectures says so twice.
is_installed() {
  case $family in
    debian)
      case " $(dpkg-query -W -f '${db:Status-Status} ' "$1" 2>/dev/null)" in *' installed '*) ;; *) return 1 ;; esac
      ;;
    rhel) rpm -q "$1" >/dev/null 2>&1 ;;
  esac
}

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confold "$@" </dev/null >>"$scratch/packages.log" 2>&1
}

# What these packages bring along and this box has not yet: nobody else's installs are among them.
will_bring() {
  case $family in
    debian)
      [ -z "$(ls -A "$box/var/lib/dpkg/updates" 2>/dev/null)" ] || quiet dpkg --configure -a
      apt-get -s install --no-install-recommends "$@" </dev/null >/dev/null 2>&1 || apt update ||
        fail 'the lists of packages could not be had' 'apt-get update, and see what it says'
      apt-get -s install --no-install-recommends "$@" </dev/null 2>/dev/null | sed -n 's/^Inst \([^ ]*\) (.*/\1/p'
      ;;
    rhel) printf '%s\n' "$@" ;;
  esac
}

fetch_packages() {
  case $family in
    debian)
      apt install -y --no-remove --no-install-recommends "$@" && return 0
      apt update && apt install -y --no-remove --no-install-recommends "$@"
      ;;
    rhel) dnf -y -q --setopt=install_weak_deps=False install "$@" >>"$scratch/packages.log" 2>&1 ;;
  esac
}

# Only what this run has brought in, and only where nothing else has come to need it meanwhile.
remove_packages() {
  # shellcheck disable=SC2086 # one word a package
  case $family in
    debian)
      others=$(apt-get -s remove $brought </dev/null 2>/dev/null | sed -n 's/^Remv \([^ ]*\) .*/\1/p' |
        grep -vxF "$(printf '%s\n' $brought)" || true)
      if [ -n "$others" ]; then
        warn "these packages stay, for others need them by now: $brought"
      else
        DEBIAN_FRONTEND=noninteractive quiet apt-get -qq -y remove $brought
      fi
      ;;
    rhel) quiet rpm -e $brought ;;
  esac
}

# Only what this run brings in is kept from starting: a daemon that was here before is its owner's.
disable_daemons_of() {
  while read -r package; do
    case $family in debian) dpkg -L "$package" ;; rhel) rpm -ql "$package" ;; esac |
      sed -n 's#^\(/usr\)\{0,1\}/lib/systemd/system/\([^/@]*\.\(service\|socket\|timer\)\)$#\2#p' |
      while read -r unit; do quiet systemctl disable "$unit"; done
  done
}

# Installs what is missing of the named packages, with their daemons off.
ensure_packages() {
  missing=
  for package in "$@"; do is_installed "$package" || missing="$missing $package"; done
  missing=${missing# }
  if [ -n "$missing" ]; then
    change "install packages: $missing" || return 0
    install_packages
  fi
  # Also those of a run that was killed before it came to this.
  if ! is_dry && [ -s "$notes/brought" ]; then disable_daemons_of <"$notes/brought"; fi
}

install_packages() {
  # shellcheck disable=SC2086 # one word a package
  will_bring $missing >"$scratch/brought"
  mkdir -p "$notes"
  cat "$scratch/brought" >>"$notes/brought"
  raise_guard
  # shellcheck disable=SC2086 # one word a package
  if ! fetch_packages $missing; then
    tail -n 5 "$scratch/packages.log" >&2
    fail "these packages could not be installed: $missing" "$(install_line "$missing"), and see what it says"
  fi
  lower_guard
  brought="$brought $(tr '\n' ' ' <"$scratch/brought")"
}

# --- the release -----------------------------------------------------------------------------------------

release_of() { cat "$1/RELEASE" 2>/dev/null || true; }

verify_release() {
  (cd "$1" && sha256sum -c --quiet --strict SHA256SUMS) >"$scratch/sums" 2>&1 ||
    fail "the release in $1 is damaged: $(head -n 1 "$scratch/sums")" 'get it again'
}

# A complete folder under its final name, or none: it is filled beside, synced, and renamed.
ensure_release() {
  from=$1
  id=$(release_of "$from")
  [ -n "$id" ] || fail "$from is no release" 'npm run release makes one from a checkout'
  [ ! -e "$lib/releases/$id/SHA256SUMS" ] || return 0
  change "put release $id into $lib/releases" || return 0
  note empty "$lib"
  note empty "$lib/releases"
  note folder "$lib/releases/$id"
  mkdir -p "$lib/releases"
  rm -rf "$lib/releases/.new-"*
  cp -a "$from" "$lib/releases/.new-$id"
  chown -R root:root "$lib/releases/.new-$id"
  chmod -R go-w "$lib/releases/.new-$id"
  sync
  mv -T "$lib/releases/.new-$id" "$lib/releases/$id"
}

# The one thing that says which release runs.
ensure_current() {
  [ "$(readlink "$lib/current" 2>/dev/null)" != "releases/$1" ] || return 0
  change "make $1 the release that runs" || return 0
  if [ -L "$lib/current" ]; then
    note link "$lib/current" "$(readlink "$lib/current")"
  else
    note file "$lib/current"
  fi
  ln -sfn "releases/$1" "$lib/current.new"
  mv -Tf "$lib/current.new" "$lib/current"
}

# A file that is already so is not touched; one that is new goes when this is taken back.
ensure_file() {
  source=$1 target=$2 mode=$3
  if cmp -s "$source" "$target"; then return 0; fi
  change "write $target" || return 0
  [ -e "$target" ] || note file "$target"
  mkdir -p "$(dirname "$target")"
  install -m "$mode" "$source" "$target.new"
  mv -f "$target.new" "$target"
}

# `evenkeel`, and the programs of what this box has by their own names.
ensure_programs() {
  ensure_program evenkeel
  [ ! -e "$1/lib/manager.js" ] || ensure_program evenkeel-manager
  ensure_program evenkeel-agent
}

ensure_program() {
  [ "$(readlink "$box/usr/bin/$1" 2>/dev/null)" != ../lib/evenkeel/current/bin/evenkeel ] || return 0
  change "put $1 into /usr/bin" || return 0
  note file "$box/usr/bin/$1"
  ln -sfn ../lib/evenkeel/current/bin/evenkeel "$box/usr/bin/$1"
}

ensure_common_files() {
  from=$1
  ensure_programs "$from"
  ensure_file "$from/system/evenkeel.1" "$box/usr/share/man/man1/evenkeel.1" 644
  ensure_file "$from/system/completion.bash" "$box/usr/share/bash-completion/completions/evenkeel" 644
}

ensure_unit() {
  from=$1 unit=$2
  if ! cmp -s "$from/system/$unit" "$units/$unit"; then
    ensure_file "$from/system/$unit" "$units/$unit" 644
    is_dry || systemctl daemon-reload
  fi
}

# Starts a service that is off, and starts anew one whose release or unit is newer; waits until it says that it serves.
ensure_running() {
  unit=$1
  if ! systemctl is-enabled --quiet "$unit" 2>/dev/null && change "start $unit at boot"; then
    note unit "$unit"
    systemctl enable --quiet "$unit"
  fi
  if systemctl is-active --quiet "$unit" && [ "$(running_release "$unit")" = "$(readlink -f "$lib/current")" ]; then
    return 0
  fi
  change "start $unit" || return 0
  # As long as the unit allows: a manager that makes its store newer must not be ended halfway.
  if ! systemctl restart "$unit"; then
    journalctl -u "$unit" -n 5 --no-pager -o cat >&2 2>/dev/null || true
    fail "$unit does not come up" "journalctl -u $unit"
  fi
}

# The folder of the release whose node a service runs.
running_release() {
  pid=$(systemctl show -p MainPID --value "$1")
  node=$(readlink "$box/proc/$pid/exe" 2>/dev/null) || return 0
  dirname "$(dirname "$node")"
}

# --- the manager -----------------------------------------------------------------------------------------

# From a checkout, the release is made first.
find_own_release() {
  if [ -e "$here/RELEASE" ]; then
    own=$here
  elif [ -e "$here/package.json" ]; then
    has npm || fail 'this is a checkout, and there is no npm to make a release with' \
      'install Node 20, or run install.sh of a release'
    if is_dry; then
      say "would make a release from $here"
      exit 0
    fi
    say "making a release from $here"
    (cd "$here" && npm run -s release) || fail 'the release could not be made, see above' "cd $here && npm run release"
    own=$here/dist/release
  else
    fail "$here is neither a release nor a checkout" 'run install.sh where it was unpacked'
  fi
  verify_release "$own"
}

ensure_user() {
  if id evenkeel >/dev/null 2>&1; then return 0; fi
  change 'make the system user evenkeel' || return 0
  note user evenkeel
  note file "$lib/.user-is-ours"
  mkdir -p "$lib"
  : >"$lib/.user-is-ours"
  useradd --system --user-group --home-dir /var/lib/evenkeel-manager --no-create-home \
    --shell /usr/sbin/nologin --comment 'Evenkeel cluster manager' evenkeel
}

own_address() {
  has ip || fail 'there is no ip to ask for the address of this box' '--address A says it'
  ip -4 -o route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p'
}

# As the manager's own user, so that no file of it is root's.
as_manager() { setpriv --reuid=evenkeel --regid=evenkeel --init-groups --inh-caps=-all "$@"; }

ensure_manager_data() {
  [ ! -e "$data/manager.json" ] || return 0
  change "found a cluster: keys, store and policies in $data" || return 0
  note folder "$data"
  install -d -m 700 -o evenkeel -g evenkeel "$data"
  as_manager "$lib/current/bin/node" "$lib/current/lib/manager.js" init --data "$data" \
    --content "$lib/current/content" --address "$address" --balancer "$balancer" --token-file "$data/admin.token" \
    >"$scratch/init" || fail 'the manager could not be set up, see above'
}

# The administrator's way in: the token moves from the manager's folder to root's own.
ensure_admin() {
  config=$box/root/.config/evenkeel/config.json
  [ -e "$data/admin.token" ] || return 0
  if [ -e "$config" ]; then
    say "root speaks to another manager already ($config); the token for this one is in $data/admin.token"
    return 0
  fi
  change "let root speak to the manager: $config" || return 0
  note file "$config"
  mkdir -p "$(dirname "$config")"
  (umask 077 && printf '{\n  "api": "https://%s:8443",\n  "ca": "%s",\n  "token": "%s"\n}\n' \
    "$(sed -n 's/.*"address": "\([^"]*\)".*/\1/p' "$data/manager.json")" /etc/evenkeel/ca.crt \
    "$(cat "$data/admin.token")" >"$config.new")
  mv "$config.new" "$config"
  rm "$data/admin.token"
}

install_manager() {
  check_box
  find_own_release
  id=$(release_of "$own")
  confirm "This box becomes the Cluster Manager with release $id."
  keep_what_stands
  case $family in debian) ensure_packages libsqlite3-0 ;; rhel) ensure_packages sqlite-libs ;; esac
  ensure_release "$own"
  ensure_current "$id"
  ensure_user
  if [ ! -e "$data/manager.json" ]; then
    [ -n "$address" ] || address=$(own_address)
    [ -n "$address" ] || fail 'this box has no address by which others could reach it' '--address A says it'
    ensure_manager_data
  fi
  ensure_common_files "$own"
  is_dry || ensure_file "$data/ca.crt" "$box/etc/evenkeel/ca.crt" 644
  ensure_admin
  ensure_unit "$own" evenkeel-manager.service
  ensure_running evenkeel-manager.service
  finish 'The manager runs. Next: evenkeel node invite --role web'
}

finish() {
  if is_dry; then return 0; fi
  forget_undo
  undo_on_failure=no
  keep_three
  if [ "$changed" = no ]; then say 'Nothing to change.'; fi
  say "$1"
}

# The way back of the last upgrades.
keep_three() {
  find "$lib/releases" -mindepth 1 -maxdepth 1 -type d ! -name '.*' -printf '%T@ %f\n' | sort -rn | awk '{ print $2 }' |
    grep -vxF "$(basename "$(readlink "$lib/current")")" | tail -n +3 |
    while read -r old; do rm -rf "$lib/releases/$old"; done
}

# --- a node ----------------------------------------------------------------------------------------------

# The join string is base64url of JSON; its texts have no quotes and no backslashes in them.
read_join() {
  case $join in *[!A-Za-z0-9_-]* | '') fail 'this is not a join string' 'paste the whole line of evenkeel node invite' ;; esac
  decoded=$(printf '%s===' "$join" | tr '_-' '/+' | base64 -d 2>/dev/null || true)
  manager_address=$(printf %s "$decoded" | sed -n 's/.*"address":"\([^"]*\)".*/\1/p')
  manager_port=$(printf %s "$decoded" | sed -n 's/.*"port":\([0-9]*\).*/\1/p')
  manager_ca=$(printf %s "$decoded" | sed -n 's/.*"ca":"\([^"]*\)".*/\1/p')
  for part in "$manager_address" "$manager_port" "$manager_ca"; do
    [ -n "$part" ] || fail 'this is not a join string' 'paste the whole line of evenkeel node invite'
  done
}

# As people compare it: the form of common/fingerprint.ts.
fingerprint() { printf %s "$manager_ca" | base64 -d | sha256sum | cut -c 1-32 | sed 's/..../&-/g; s/-$//'; }

# What the manager serves, verified by the authority that the join string names and by the sum that this script carries.
fetch_release() {
  fetched=$scratch/release
  mkdir "$fetched"
  # The whole release, as a manager's box has it, has the agent in it.
  for id in "${pinned_release%-agent}" "$pinned_release"; do
    if [ -e "$lib/releases/$id/SHA256SUMS" ]; then
      fetched=$lib/releases/$id
      return 0
    fi
  done
  [ ! -e "$units/evenkeel-manager.service" ] ||
    fail 'the manager on this box is of another release than the one that invites it' 'make that manager newer first: install.sh upgrade'
  [ -n "$pinned_bundle" ] || fail 'this copy of install.sh is not the one that the manager serves' \
    'paste the line of evenkeel node invite'
  {
    echo '-----BEGIN CERTIFICATE-----'
    printf '%s\n' "$manager_ca" | fold -w 64
    echo '-----END CERTIFICATE-----'
  } >"$scratch/ca.crt"
  case $manager_address in *:*) host="[$manager_address]" ;; *) host=$manager_address ;; esac
  say "fetching release $pinned_release from $manager_address"
  curl -fsS --retry 5 --retry-connrefused --connect-timeout 10 --max-time 600 --cacert "$scratch/ca.crt" \
    -o "$scratch/agent.tar.gz" "https://$host:$manager_port/release/agent.tar.gz" ||
    fail "the agent could not be fetched from $manager_address:$manager_port" 'is the manager running, and that port open?'
  [ "$(sha256sum <"$scratch/agent.tar.gz")" = "$pinned_bundle  -" ] ||
    fail 'what the manager sent is not what this script was made for' \
      'the manager may have become newer since: make a new line with evenkeel node invite'
  tar -xzf "$scratch/agent.tar.gz" -C "$fetched" --no-same-owner
  verify_release "$fetched"
}

agent() { "$fetched/bin/node" "$fetched/lib/agent.js" "$@"; }

is_joined() { [ -e "$state/identity/cert.pem" ]; }

check_not_of_another() {
  is_joined || return 0
  old=$(sed -n 's/.*"address": "\([^"]*\)".*/\1/p' "$state/identity/manager.json")
  [ "$old" = "$manager_address" ] ||
    fail "this box is a node of the cluster of $old already" \
      "sh $lib/current/install.sh uninstall, then run this again"
}

node_name() { sed -n 's/.*"node": "\([^"]*\)".*/\1/p' "$state/identity/manager.json"; }

preflight() {
  set -- "$join" --address "$address" --service systemd
  if [ -n "$name" ]; then set -- "$@" --name "$name"; fi
  agent preflight "$@" || fail 'this box does not fit, see above; nothing was changed' 'mend what failed, then run this line again'
  wanted=$(agent preflight "$@" --missing-packages) || fail 'the manager did not say which packages are needed'
}

join_cluster() {
  change "join the cluster of $manager_address" || return 0
  # The key stays whatever happens: an invitation that was used, or waits to be accepted, answers no other one.
  set -- "$join" --address "$address" --service systemd --yes
  if [ -n "$name" ]; then set -- "$@" --name "$name"; fi
  agent join "$@" || fail 'this box could not join, see above' 'mend what it says, then run this line again'
}

install_agent() {
  check_box
  has curl || fail 'there is no curl' "$(install_line curl)"
  read_join
  check_not_of_another
  fetch_release
  if ! is_joined; then
    [ -n "$address" ] || address=$(agent address "$join") ||
      fail "this box has no way to the manager at $manager_address" 'look at its cables, routes and firewalls'
    preflight
    say "the manager's authority is $(fingerprint)"
    confirm "This box becomes a node of the cluster of $manager_address, if \`evenkeel node invite\` showed the same."
  fi
  keep_what_stands
  # shellcheck disable=SC2086 # one word a package
  is_joined || ensure_packages $wanted
  ensure_release "$fetched"
  ensure_current "$(release_of "$fetched")"
  ensure_common_files "$fetched"
  ensure_file "$fetched/system/logrotate" "$box/etc/logrotate.d/evenkeel" 644
  is_joined || join_cluster
  # A member stays one: its name is taken and its invitation used, and a run after this one goes on from here.
  if is_joined; then
    forget_undo
    undo_on_failure=no
  fi
  ensure_unit "$fetched" evenkeel-agent.service
  ensure_running evenkeel-agent.service
  is_dry || finish "This box is node $(node_name). On it: evenkeel local status. At the manager: evenkeel nodes"
}

# --- newer, and away -------------------------------------------------------------------------------------

install_upgrade() {
  check_box
  find_own_release
  id=$(release_of "$own")
  [ -L "$lib/current" ] || fail 'there is no Evenkeel on this box to make newer' 'install.sh manager, or install.sh agent'
  [ ! -e "$units/evenkeel-manager.service" ] || [ -e "$own/lib/manager.js" ] ||
    fail 'this release is for nodes, and this box has a manager' 'use a whole release'
  confirm "Release $id is to run on this box, in place of $(basename "$(readlink "$lib/current")")."
  keep_what_stands
  ensure_release "$own"
  ensure_current "$id"
  ensure_common_files "$own"
  for service in manager agent; do
    [ -e "$units/evenkeel-$service.service" ] || continue
    ensure_unit "$own" "evenkeel-$service.service"
    if ! (ensure_running "evenkeel-$service.service" && await_manager "$service"); then
      go_back "$id"
      fail "release $id does not run here; the one of before runs again" "journalctl -u evenkeel-$service"
    fi
  done
  finish "Release $id runs."
  [ ! -e "$units/evenkeel-manager.service" ] || is_dry ||
    say 'Next: evenkeel upgrade brings the nodes to it; evenkeel-manager content | evenkeel diff -f - shows what its policies change.'
}

# With --until-connected an agent has come up when it has reached its manager.
await_manager() {
  if [ "$connected" = no ] || [ "$1" = manager ] || is_dry; then return 0; fi
  seconds=0
  until "$lib/current/bin/evenkeel" -o json local status 2>/dev/null | grep -q '"connected": *true'; do
    seconds=$((seconds + 1))
    [ "$seconds" -lt 60 ] || fail 'the agent has not reached its manager within a minute' 'journalctl -u evenkeel-agent'
    sleep 1
  done
}

# A store that the new release had made newer is put back; where it had not, there is nothing to undo.
undo_store() {
  as_manager "$former/bin/node" "$former/lib/manager.js" undo-upgrade --data "$data" >"$scratch/undone" 2>&1 && return 0
  grep -q 'which this version knows' "$scratch/undone" ||
    warn "the store of before could not be put back: $(tail -n 1 "$scratch/undone")"
}

# The release of before, with its units, under all services: what the new one has started runs from a folder that goes.
go_back() {
  undo_on_failure=no
  take_back
  former=$lib/$(readlink "$lib/current")
  for service in manager agent; do
    [ -e "$units/evenkeel-$service.service" ] || continue
    quiet systemctl stop "evenkeel-$service.service"
    [ "$service" = agent ] || undo_store
    ensure_unit "$former" "evenkeel-$service.service"
    quiet systemctl restart "evenkeel-$service.service"
  done
  ensure_common_files "$former"
  forget_undo
}

# Those that systemd runs for the agent: their units are gone with a boot, and their files now.
stop_daemons() {
  set -- "$box"/run/systemd/system/evenkeel@*.service
  [ -e "$1" ] || return 0
  change 'stop the daemons that the agent looks after' || return 0
  quiet systemctl stop 'evenkeel@*.service'
  rm -f "$@"
  quiet systemctl reset-failed 'evenkeel@*.service'
}

uninstall() {
  if [ ! -e "$lib" ] && [ ! -e "$notes" ] && [ ! -e "$units/evenkeel-agent.service" ] &&
    [ ! -e "$units/evenkeel-manager.service" ]; then
    say 'There is no Evenkeel on this box.'
    return 0
  fi
  what='Evenkeel leaves this box, and its data are deleted.'
  if [ "$keep" = yes ]; then what='Evenkeel leaves this box; its data stay.'; fi
  confirm "$what What it serves ends."
  for service in agent manager; do
    [ -e "$units/evenkeel-$service.service" ] || continue
    change "stop evenkeel-$service" || continue
    quiet systemctl disable --now "evenkeel-$service.service"
    rm -f "$units/evenkeel-$service.service"
  done
  stop_daemons
  if change 'delete the program'; then
    rm -f "$box/usr/bin/evenkeel" "$box/usr/bin/evenkeel-agent" "$box/usr/bin/evenkeel-manager" \
      "$box/usr/share/man/man1/evenkeel.1" "$box/etc/logrotate.d/evenkeel" \
      "$box/usr/share/bash-completion/completions/evenkeel"
    if [ -e "$lib/.user-is-ours" ]; then ours=yes; fi
    rm -rf "$lib" "$notes"
    quiet systemctl daemon-reload
  fi
  if [ "$keep" = no ] && change "delete the data in $state and $data"; then
    config=$box/root/.config/evenkeel/config.json
    if grep -qF '"/etc/evenkeel/ca.crt"' "$config" 2>/dev/null; then rm -f "$config"; fi
    rmdir "$(dirname "$config")" 2>/dev/null || true
    rm -rf "$state" "$data" "$box/var/log/evenkeel" "$box/run/evenkeel" "$box/etc/evenkeel"
    [ "$ours" = no ] || quiet userdel evenkeel
  fi
  is_dry || rm -f "$box/run/evenkeel-install.lock"
}

# --- words of the command line ---------------------------------------------------------------------------

verb=${1:-}
[ $# -eq 0 ] || shift
join='' name='' address='' balancer=lvs dry=no yes=no keep=no connected=no changed=no undo_on_failure=no family=debian wanted='' brought='' guarded=no ours=no

value() {
  if [ $# -lt 2 ] || [ -z "$2" ]; then fail "$1 needs a value" "sh $0 --help"; fi
}

while [ $# -gt 0 ]; do
  case $1 in
    --join) value "$@" && join=$2 && shift ;;
    --name) value "$@" && name=$2 && shift ;;
    --address) value "$@" && address=$2 && shift ;;
    --balancer) value "$@" && balancer=$2 && shift ;;
    --dry-run) dry=yes ;;
    --yes) yes=yes ;;
    --keep-data) keep=yes ;;
    --until-connected) connected=yes ;;
    --help) usage && exit 0 ;;
    *) fail "$1 is unknown" "sh $0 --help" ;;
  esac
  shift
done

begin() {
  [ "$(id -u)" = 0 ] || fail 'this must be run by root' "sudo sh $0 $verb"
  # /tmp may be mounted noexec, and programs are run from here before they are installed.
  mkdir -p "$box/var/cache"
  scratch=$(mktemp -d "$box/var/cache/evenkeel-install.XXXXXX") || fail "$box/var/cache takes no folder" 'make room on its disk'
  trap on_exit EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  # Whoever only looks needs no lock, and leaves none.
  is_dry && return 0
  # Two installers at once would each take back what the other does.
  exec 9>"$box/run/evenkeel-install.lock"
  flock -w 600 9 || fail 'another run of the installer has not ended in ten minutes'
  # Of runs that were killed. Whoever has the lock is the only one whose guard this can be.
  if grep -qxF "$guard_mark" "$policy" 2>/dev/null || [ -e "$policy.before-evenkeel" ]; then
    guarded=yes
    lower_guard
  fi
  find "$box/var/cache" -maxdepth 1 -name 'evenkeel-install.*' ! -path "$scratch" -exec rm -rf {} +
}

case $verb in
  manager) begin && install_manager ;;
  agent) begin && install_agent ;;
  upgrade) begin && install_upgrade ;;
  uninstall) begin && uninstall ;;
  '' | --help | help) usage ;;
  *) fail "$verb is unknown" "sh $0 --help" ;;
esac
