#!/usr/bin/env bash
# Verifies that the whole small stack (compose/memory-optimized.yml) runs as it is meant to: the small-model settings in
# the containers, the limits of memory and cores in the cgroups, one model at a time, none above 3B loaded.
#
#   scripts/verify_small_models.sh
#
# Prints a table, and changes nothing. Exit status: 0 all is right, 1 something is wrong (and what), 2 wrong arguments,
# 3 no engine.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/stack.sh
. "$(dirname "$0")/stack.sh"

case ${1:-} in
'') ;;
-h | --help) sed -n '5,8s/^# \{0,1\}//p' "$0"; exit ;;
*) echo "$me: unknown argument \"$1\"; it takes none" >&2; exit 2 ;;
esac

wrong=()

row() { # WHERE WHAT WANTED FOUND [right|wrong|note]: without the last, wanted and found must be equal
  local verdict=${5:-}
  [[ -n $verdict ]] || { verdict=wrong; [[ $3 != "$4" ]] || verdict=right; }
  printf '  %-10s %-26s %-14s %-14s %s\n' "$1" "$2" "$3" "${4:--}" "${verdict/wrong/WRONG}"
  [[ $verdict != wrong ]] || wrong+=("$1: $2 is ${4:-not there}, wanted $3")
}

# ---- what the engine and the kernel say

variable() { # ID NAME: of the container's environment
  docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' "$1" | sed -n "s/^$2=//p"
}

cgroup_file() { # ID CONTROLLER FILE_V1 FILE_V2: what the kernel has there; nothing where it is not to be seen
  local pid path root_v1=/sys/fs/cgroup
  pid=$(docker inspect -f '{{.State.Pid}}' "$1")
  [[ $pid -gt 0 && -r /proc/$pid/cgroup ]] || return 0
  path=$(sed -nE "s/^[0-9]+:([^:]*,)?$2(,[^:]*)?:(.*)/\3/p" "/proc/$pid/cgroup")
  if [[ -n $path ]]; then
    cat "$root_v1/$2$path/$3" 2>/dev/null || true
  else
    path=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
    cat "/sys/fs/cgroup$path/$4" 2>/dev/null || true
  fi
}

memory_limit() { # ID: MiB by the kernel; by the engine where that is not to be seen
  local bytes
  bytes=$(cgroup_file "$1" memory memory.limit_in_bytes memory.max)
  [[ -n $bytes ]] || bytes=$(docker inspect -f '{{.HostConfig.Memory}}' "$1")
  case $bytes in
  max | 0) echo none ;;
  *) if [[ ${#bytes} -gt 15 ]]; then echo none; else echo $((bytes / 1048576)); fi ;;
  esac
}

cores() { # ID
  local quota period
  quota=$(cgroup_file "$1" cpu cpu.cfs_quota_us cpu.max)
  period=$(cgroup_file "$1" cpu cpu.cfs_period_us cpu.max)
  quota=${quota%% *} period=${period##* }
  if [[ -z $quota ]]; then
    quota=$(docker inspect -f '{{.HostConfig.CpuQuota}}' "$1")
    period=$(docker inspect -f '{{.HostConfig.CpuPeriod}}' "$1")
  fi
  if [[ $quota =~ ^[1-9][0-9]*$ && $period =~ ^[1-9] ]]; then
    awk -v quota="$quota" -v period="$period" 'BEGIN { print quota / period }'
  else
    echo all
  fi
}

# ---- the checks

check_running() {
  local service id
  for service in "${stack_services[@]}"; do
    id=$(stack_container "$service")
    [[ -n $id ]] || { row "$service" state running missing; continue; }
    row "$service" state running "$(docker inspect -f '{{.State.Status}}' "$id")"
  done
}

check_settings() {
  local service id name default=${DEFAULT_MODEL:-$(stack_setting DEFAULT_MODEL)} fallback=${FALLBACK_MODEL:-$(stack_setting FALLBACK_MODEL)}
  for service in ollama backend frontend; do
    id=$(stack_container "$service")
    [[ -n $id ]] || continue
    row "$service" DEFAULT_MODEL "${default:-qwen2.5:3b}" "$(variable "$id" DEFAULT_MODEL)"
    row "$service" FALLBACK_MODEL "${fallback:-llama3.2:3b}" "$(variable "$id" FALLBACK_MODEL)"
    for name in SMALL_MODEL_MODE MEMORY_EFFICIENT_MODE; do
      row "$service" "$name" true "$(variable "$id" "$name")"
    done
  done
  id=$(stack_container ollama)
  [[ -n $id ]] || return 0
  row ollama OLLAMA_MAX_LOADED_MODELS 1 "$(variable "$id" OLLAMA_MAX_LOADED_MODELS)"
  row ollama OLLAMA_KEEP_ALIVE 30s "$(variable "$id" OLLAMA_KEEP_ALIVE)"
}

check_limits() {
  local service id
  for service in "${stack_services[@]}"; do
    id=$(stack_container "$service")
    [[ -n $id && $(docker inspect -f '{{.State.Running}}' "$id") == true ]] || continue
    row "$service" 'memory limit, MiB' "$(to_mib "$(stack_limit "$service")")" "$(memory_limit "$id")"
    [[ -z $(stack_cores "$service") ]] || row "$service" cores "$(stack_cores "$service")" "$(cores "$id")"
  done
}

check_policy() { # the supervisor: one model at a time
  local id found
  id=$(stack_container supervisor)
  [[ -n $id && $(docker inspect -f '{{.State.Running}}' "$id") == true ]] || return 0
  found=$(timeout 10 docker exec "$id" supervisor config show 2>/dev/null | sed -nE 's/^single *= *([a-z]+).*/\1/p')
  row supervisor 'models.single' on "$found"
}

check_models() { # what is loaded now
  local address loaded name size n=0
  address=$(ollama_address)
  [[ -n $address ]] || return 0
  if ! loaded=$(curl -fsS --max-time 10 "$address/api/ps" 2>&1); then
    row ollama 'answers' yes no
    return
  fi
  while IFS=$'\t' read -r name size; do
    [[ -n $name ]] || continue
    n=$((n + 1))
    if is_small "$(in_billions "$size")"; then row ollama "$name loaded" '<= 3B' "$size" right; else row ollama "$name loaded" '<= 3B' "$size" wrong; fi
  done < <(grep -oE '"name":"[^"]*"|"parameter_size":"[^"]*"' <<<"$loaded" | cut -d '"' -f 4 | paste - -)
  if [[ $n -le 1 ]]; then row ollama 'models loaded' '0 or 1' "$n" right; else row ollama 'models loaded' '0 or 1' "$n" wrong; fi
  for name in DEFAULT_MODEL FALLBACK_MODEL; do
    name=$(variable "$(stack_container ollama)" "$name")
    [[ -n $name ]] || continue
    if curl -fsS --max-time 10 "$address/api/tags" | grep -qF "\"name\":\"$name\""; then row ollama "$name" 'pulled' pulled note; else row ollama "$name" 'pulled' 'not yet' note; fi
  done
}

in_billions() { # 3.1B, 494.03M, 99K
  case $1 in
  *B) echo "${1%B}" ;;
  *M) awk -v size="${1%M}" 'BEGIN { print size / 1000 }' ;;
  *) echo 0 ;;
  esac
}

guard
need_engine
[[ ! -r $stack_env || -f $stack_env ]] || die "$stack_env is no file" 2
step='verifying'
if [[ -z $(docker ps -aq --filter "label=com.docker.compose.project=$stack_project") ]]; then
  die 'the stack does not run here: scripts/deploy_memory_optimized_system.sh starts it'
fi
printf '  %-10s %-26s %-14s %-14s %s\n' service what wanted found ''
check_running
check_settings
check_limits
check_policy
check_models
echo
if [[ ${#wrong[@]} -gt 0 ]]; then
  printf 'Wrong: %s\n' "${wrong[@]}" >&2
  say 'scripts/deploy_memory_optimized_system.sh puts settings and limits right; scripts/configure_small_models_default.sh the models.'
  trap - EXIT
  exit 1
fi
say 'All is right.'
