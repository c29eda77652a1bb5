# What the scripts share. Sourced, with `set -euo pipefail` on; bash 5 (Debian 12 and 13).
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here and used there, and the other way round

me=scripts/${0##*/}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
run_dir=/run/supervisor # of an engine that scripts/up started by itself: its pid, its log

# What a bare machine needs, by Debian's names; all are in 12 and 13.
packages_build=(gcc make pkg-config libc6-dev libcurl4-openssl-dev libjansson-dev libcgroup-dev libinih-dev libuv1-dev
  libsqlite3-dev libssl-dev ca-certificates curl)
# llhttp: Debian 13 has the library, 12 has its C files in a package of Node's (which draws in no Node).
package_llhttp() { # SUITE: its code name
  case $1 in bookworm) echo node-llhttp ;; *) echo libllhttp-dev ;; esac
}

packages_build_in() { # SUITE: what is needed in another Debian, one a line
  printf '%s\n' "${packages_build[@]:0:${#packages_build[@]}-1}" "$(package_llhttp "$1")"
}
packages_build+=("$(package_llhttp "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")")")

# ---- speaking: one line a step; on failure one sentence that says what was going on

step='starting'
undo='' # what to do when it ends half-way

say() {
  echo "$*"
}

doing() { # WHAT: said, and kept for the sentence of a failure
  step=$1
  say "· $1"
}

die() { # SENTENCE [STATUS]
  echo "$me: $1" >&2
  trap - EXIT
  finish
  exit "${2:-1}"
}

# Overridden by a script that has something to put away.
finish() {
  :
}

ended() { # called by the trap
  local status=$?
  [[ $status -ne 0 ]] || { finish; return; }
  case $status in
  130 | 143) echo "$me: stopped while $step.${undo:+ $undo}" >&2 ;;
  *) echo "$me: failed while $step (status $status).${undo:+ $undo}" >&2 ;;
  esac
  finish
}

guard() { # every script calls it once
  trap ended EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# What a script, a Compose file or the program reads, and the proxies: sudo drops the rest.
kept_by_sudo='^(SUPERVISOR|OLLAMA|LOCALAI|DOCKER|COMPOSE|LAB|POSTGRES|REDIS|CHROMA|BACKEND|FRONTEND|SOCKET_PROXY)_'
kept_by_sudo+='|^(MAX_MODEL_MEMORY_GB|DEFAULT_MODEL|FALLBACK_MODEL|SMALL_MODEL_MODE|MEMORY_EFFICIENT_MODE|CI|(https?|no)_proxy|(HTTPS?|NO)_PROXY)$'

need_root() { # ARGUMENT...: the script goes on as root, by sudo where there is one
  local kept
  [[ $(id -u) -ne 0 ]] || return 0
  command -v sudo >/dev/null || die 'needs root: there is no sudo here, so run it as root'
  say '· asking sudo for root'
  trap - EXIT
  kept=$(compgen -e | grep -E "$kept_by_sudo" | paste -sd , || true)
  exec sudo ${kept:+"--preserve-env=$kept"} -- "$root/$me" "$@"
}

give_build_back() { # what root built in somebody's checkout is theirs; the lab's roots and engines stay root's
  [[ $(stat -c %u "$root") -ne 0 ]] || return 0
  find "$root/build" -path "$root/build/lab" -prune -o -exec chown -h --reference="$root" {} +
}

show_log() { # FILE: what a build said, without the lines that only say how far it came
  grep -vE '^  (CC|AR|LINK) ' "$1" | tail -n 60 >&2 || true
}

# ---- packages

installed() { # PACKAGE
  [[ $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) == 'install ok installed' ]]
}

install_packages() { # PACKAGE...: those that are missing
  local missing=() p log status=0
  for p in "$@"; do installed "$p" || missing+=("$p"); done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  command -v apt-get >/dev/null ||
    die "this machine has no apt-get. Install these by hand, then run $me again: ${missing[*]}"
  doing "installing ${missing[*]}"
  log=$(mktemp)
  # A failed update may still leave lists that are good enough: what counts is the installation.
  {
    apt-get -q update || true
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"
  } >"$log" 2>&1 </dev/null || status=$?
  if [[ $status -ne 0 ]]; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    [[ $status -lt 128 ]] || exit "$status"
    die "apt-get could not install ${missing[*]}; the lines above are the end of what it said"
  fi
  rm -f "$log"
}

package_exists() { # PACKAGE: in apt's lists
  apt-cache show "$1" >/dev/null 2>&1
}

# ---- tests: what was counted, by part

declare -A passed=() failed=() skipped=() took_s=()
parts=()

part() { # NAME: what follows is counted there
  part=$1
  parts+=("$part")
  passed[$part]=0 failed[$part]=0 skipped[$part]=0 took_s[$part]=0
}

count() { # PASSED FAILED SKIPPED
  passed[$part]=$((passed[$part] + $1))
  failed[$part]=$((failed[$part] + $2))
  skipped[$part]=$((skipped[$part] + $3))
}

check() { # NAME COMMAND...: one thing that passes or fails; its output is shown only where it fails
  local name=$1 log status=0 started=$SECONDS
  shift
  step="checking: $name"
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [[ $status -eq 0 ]]; then
    printf '  ok      %-34s %3d s\n' "$name" $((SECONDS - started))
    count 1 0 0
  else
    printf '  FAILED  %-34s %3d s\n' "$name" $((SECONDS - started))
    show_log "$log" 2>&1 | sed 's/^/    /'
    count 0 1 0
  fi
  rm -f "$log"
  [[ $status -lt 129 ]] || exit "$status"
}

# ---- the engine

default_socket=/var/run/docker.sock

find_socket() { # sets socket: the path of the engine's, from DOCKER_HOST; docker and Compose ask the same one from here on
  local host=${DOCKER_HOST:-unix://$default_socket}
  [[ $host == unix:///* ]] ||
    die "DOCKER_HOST is \"$host\", but only a Unix socket will do: unix:///path/to/docker.sock" 2
  socket=${host#unix://}
  export DOCKER_HOST=$host
  unset DOCKER_CONTEXT # it would rank above
  docker_words=docker # for a person to type
  [[ $socket == "$default_socket" ]] || printf -v docker_words 'docker -H %q' "$host"
}

engine_answers() {
  curl -fs --max-time 5 --unix-socket "$socket" http://engine/_ping >/dev/null 2>&1
}

registry_has() { # IMAGE: asks the registry, through the engine; where it cannot, says why and fails
  local answer
  answer=$(curl -sS --max-time 20 --unix-socket "$socket" -w '\n%{http_code}' "http://engine/distribution/$1/json" 2>&1) || {
    answer=${answer%%$'\n'*}
    echo "${answer#curl: }"
    return 1
  }
  [[ ${answer##*$'\n'} != 200 ]] || return 0
  sed -n '1s/^{"message":"\(.*\)"}.*/\1/p' <<<"$answer" | sed 's/\\"/"/g; s/\\n.*//'
  return 1
}

own_engine() { # the pid of an engine that scripts/up started by itself, where it runs and is the one that is asked
  local pid
  [[ $socket == "$default_socket" ]] || return 1
  pid=$(cat "$run_dir/engine.pid" 2>/dev/null) && [[ -n $pid ]] &&
    { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "--pidfile $run_dir/engine.pid" && echo "$pid"
}

systemd_runs() {
  [[ -d /run/systemd/system ]]
}

wait_for_engine() { # SECONDS [PID]: until it answers; sooner, with status 1, where the process is gone
  local i
  for ((i = 0; i < $1 * 5; i++)); do
    ! engine_answers || return 0
    [[ -z ${2:-} || -d /proc/$2 ]] || return 1
    sleep 0.2
  done
  return 1
}

# ---- Compose: the plugin where there is one, Debian 12's docker-compose 1.29.2 otherwise

find_compose() { # sets compose_command; fails where there is none
  if docker compose version >/dev/null 2>&1; then
    compose_command=(docker compose)
  elif docker-compose version >/dev/null 2>&1; then
    compose_command=(docker-compose)
  else
    return 1
  fi
}

compose() {
  "${compose_command[@]}" -p supervisor -f "$root/compose/compose.yml" "$@"
}

drop() { # KIND NAME: a network, volume or image of ours; where somebody else uses it, it stays, and that is said
  local why
  if [[ $1 == network && -n $(docker ps -aq --filter "network=$2") ]]; then # the engine asks only those that run
    say "  the network $2 stays: containers that are not ours are in it"
    return
  fi
  why=$(docker "$1" rm "$2" 2>&1 >/dev/null) || say "  the $1 $2 stays: ${why#Error response from daemon: }"
}

drop_all() { # KIND PROJECT: the networks or volumes that Compose made for the project
  local names name
  names=$(docker "$1" ls --format '{{.Name}}' --filter "label=com.docker.compose.project=$2")
  for name in $names; do drop "$1" "$name"; done
}

# SERVICE: the id of the container that Compose made for it, running or not; nothing where there is none. One that
# `supervisor create --replace` replaced has Compose's labels still, and is a person's.
container_of() {
  docker ps -a --no-trunc --format '{{.ID}} {{.Names}}' --filter label=com.docker.compose.project=supervisor \
    --filter "label=com.docker.compose.service=$1" |
    awk '!found && $2 !~ /(^|,)[^,\/]*-(replaced|kept)-by-supervisor(,|$)/ { print $1; found = 1 }'
}
