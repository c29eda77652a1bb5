#!/usr/bin/env bash
# Starts the whole small stack for a machine with 15 GB: PostgreSQL, Redis, ChromaDB, a backend, a frontend, Ollama with
# small models, each in its own memory, and the supervisor (compose/memory-optimized.yml).
#
#   scripts/deploy_memory_optimized_system.sh            checks the machine, makes compose/.env, starts, waits, tells
#   scripts/deploy_memory_optimized_system.sh --check    checks the machine only
#   scripts/deploy_memory_optimized_system.sh --down     takes the containers away; data, models and compose/.env stay
#   scripts/deploy_memory_optimized_system.sh --down --purge    these too
#
# Run again, it changes only what has changed. Its settings are in compose/.env (see compose/memory-optimized.env.example):
# the passwords are made there at the first run, readable for you alone; yours to set are the images and commands of
# backend and frontend. DOCKER_HOST=unix://... names another engine than the one at /var/run/docker.sock.
# Exit status: 1 it failed, 2 wrong arguments or settings, 3 no engine.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/stack.sh
. "$(dirname "$0")/stack.sh"
rest_mib=2048     # for the system itself beside all limits
disk_mib=10240    # images and two small models
healthy_s=180     # until all are healthy: the first start of a database takes a minute on a slow disk

down=no purge=no check=no
for argument in "$@"; do
  case $argument in
  --check) check=yes ;;
  --down) down=yes ;;
  --purge) purge=yes ;;
  -h | --help) sed -n '5,13s/^# \{0,1\}//p' "$0"; exit ;;
  *) echo "$me: unknown argument \"$argument\"; it knows --check, --down, --purge and --help" >&2; exit 2 ;;
  esac
done
[[ $purge == no || $down == yes ]] || { echo "$me: --purge goes with --down only" >&2; exit 2; }
[[ $check == no || $down == no ]] || { echo "$me: --check and --down exclude each other" >&2; exit 2; }

# ---- the machine

check_machine() {
  local service total available limits=0 free root_dir
  step='checking the machine'
  for service in "${stack_services[@]}"; do
    limits=$((limits + $(to_mib "$(stack_limit "$service")")))
  done
  total=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
  available=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
  [[ $total -ge $((limits + rest_mib)) ]] ||
    die "this machine has $total MiB of memory: $((limits + rest_mib - total)) MiB too little. All limits together are $limits MiB, and $rest_mib MiB are for the system. Lower mem_limit of what you need less in compose/memory-optimized.yml"
  [[ $(docker info -f '{{.MemoryLimit}}') == true ]] ||
    die "this engine cannot limit memory: the kernel's memory cgroup is off (cgroup_enable=memory on its command line turns it on)"
  [[ $available -ge $limits || -n $(stack_container ollama) ]] ||
    say "  note: $available MiB of memory are available now, the limits together are $limits MiB: what runs beside may have to go"
  root_dir=$(docker info -f '{{.DockerRootDir}}')
  free=$(df -Pm "$root_dir" 2>/dev/null | awk 'NR == 2 { print $4 }')
  [[ -z $free || $free -ge $disk_mib ]] ||
    say "  note: $free MiB are free on the disk of $root_dir; images and two small models take about $disk_mib MiB"
  say "· the machine: $total MiB of memory, $limits MiB of limits in all, $(nproc) cores"
}

check_names() { # containers that are here already and not the stack's
  local name id project
  for name in ollama supervisor; do
    [[ -z $(stack_container "$name") ]] || continue
    id=$(docker ps -aq --no-trunc --filter "name=^/?$name\$")
    [[ -n $id ]] || continue
    project=$(docker inspect -f '{{index .Config.Labels "com.docker.compose.project"}}' "$id")
    [[ $project != supervisor ]] || die "a container named $name, started by scripts/up, is here already: take it away first by scripts/down"
    die "a container named $name${project:+ (of the Compose project \"$project\")} is here already: rename or remove it first (docker rename $name other)"
  done
}

supervisor_image() {
  local made
  docker image inspect supervisor:latest >/dev/null 2>&1 && [[ ! -x $root/build/supervisor ]] && return
  if [[ ! -x $root/build/supervisor ]]; then
    install_packages "${packages_build[@]}"
    doing 'building the program'
    make -C "$root" --no-print-directory -j"$(nproc)" >"$log" 2>&1 || { show_log "$log"; die 'the program does not build; the lines above say why'; }
    give_build_back
  fi
  step='making the image'
  made=$("$root/scripts/image")
  say "· $made"
}

# ---- start

ids() {
  docker ps -q --no-trunc --filter "label=com.docker.compose.project=$stack_project" | sort
}

start_stack() {
  local before
  before=$(ids)
  doing 'starting the containers (images that are not here are pulled)'
  stack_up "$log" || {
    grep -v 'attribute .version. is obsolete' "$log" | tail -n 20 >&2
    die "Compose could not start the stack; the lines above are what it said. $me --down takes away what is half made"
  }
  unchanged=no
  [[ -z $before || $before != "$(ids)" ]] || unchanged=yes
}

state_of() { # SERVICE: one word: healthy, running, or what it is instead
  local id state
  id=$(stack_container "$1")
  [[ -n $id ]] || { echo missing; return; }
  state=$(docker inspect -f '{{if ne .State.Status "running"}}{{.State.Status}}{{else if .State.Health}}{{.State.Health.Status}}{{else}}running{{end}}' "$id")
  # The engine asks the supervisor after half a minute for the first time; it can be asked now.
  [[ $1 != supervisor || $state != starting ]] || ! timeout 10 docker exec "$id" supervisor health >/dev/null 2>&1 || state=healthy
  echo "$state"
}

show_trouble() { # SERVICE
  local id
  id=$(stack_container "$1")
  [[ -n $id ]] || return 0
  echo "-- $1:"
  docker logs --tail 5 "$id" 2>&1
  docker inspect -f '{{with .State.Health}}{{range .Log}}{{if .ExitCode}}health check: {{.Output}}{{end}}{{end}}{{end}}' "$id" | grep . | tail -n 1
}

wait_until_healthy() {
  local service state waiting end=$((SECONDS + healthy_s))
  doing 'waiting until all are healthy'
  while :; do
    waiting=()
    for service in "${stack_services[@]}"; do
      state=$(state_of "$service")
      [[ $state == healthy || $state == running ]] || waiting+=("$service ($state)")
    done
    [[ ${#waiting[@]} -gt 0 ]] || return 0
    [[ $SECONDS -lt $end ]] || break
    sleep 1
  done
  for service in "${waiting[@]}"; do
    service=${service% (*}
    show_trouble "$service" >&2
  done
  die "not healthy after $healthy_s s: ${waiting[*]}; the lines above are what they said. $me --down takes the stack away"
}

report() {
  local service id cores address
  echo
  if [[ $unchanged == yes ]]; then say 'Already running: nothing was changed.'; else say 'Running.'; fi
  printf '  %-10s %-9s %-7s %-5s %-22s %s\n' service state memory cores 'from this machine' image
  for service in "${stack_services[@]}"; do
    id=$(stack_container "$service")
    address=$(docker port "$id" 2>/dev/null | sed -n '1s/.* -> //p')
    cores=$(stack_cores "$service")
    printf '  %-10s %-9s %-7s %-5s %-22s %s\n' "$service" "$(state_of "$service")" \
      "$(docker inspect -f '{{.HostConfig.Memory}}' "$id" | awk '{ print $1 / 1048576 "m" }')" "${cores:-all}" \
      "${address:-no}" "$(docker inspect -f '{{.Config.Image}}' "$id")"
  done
  echo
  say 'Next:'
  say '  scripts/configure_small_models_default.sh --pull    gets the small models'
  say '  scripts/verify_small_models.sh                      checks settings, limits and what is loaded'
  say "  $docker_words exec supervisor supervisor status"
}

# ---- down: by label, so that it works whatever has become of the files

take_down() {
  local service id found=no
  step='stopping the containers'
  id=$(stack_container supervisor) # first, so that it does not see the others die
  [[ -z $id ]] || { found=yes; docker stop "$id" >/dev/null; docker rm "$id" >/dev/null; }
  mapfile -t all < <(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$stack_project")
  if [[ ${#all[@]} -gt 0 ]]; then
    found=yes
    doing "$step"
    docker stop "${all[@]}" >/dev/null
    docker rm "${all[@]}" >/dev/null
  fi
  [[ $found == yes ]] || say '· no container of the stack is here'
  drop_all network "$stack_project"
  if [[ $purge == yes ]]; then
    doing 'removing the data, the models and compose/.env'
    drop_all volume "$stack_project"
    rm -f "$stack_env"
    say 'Taken away, the data too.'
  else
    say "Taken away. Data, models and compose/.env are kept; $me --down --purge removes them."
  fi
}

guard
need_root "$@"
log=$(mktemp)
need_engine
if [[ $down == yes ]]; then
  undo='Run it again to go on.'
  take_down
  exit
fi
undo="Run it again to go on, or with --down to take away what is there."
need_compose
check_stack_env
check_machine
check_names
[[ $check == no ]] || exit 0
make_passwords
supervisor_image
state=${SUPERVISOR_STATE:-$(stack_setting SUPERVISOR_STATE)}
state=${state:-/var/lib/supervisor}
[[ $state == /* && $state != *:* ]] || die "SUPERVISOR_STATE is \"$state\", but it must be a whole path, from / on, without a colon" 2
[[ -d $state ]] || (umask 077 && mkdir -p "$state")
start_stack
wait_until_healthy
report
