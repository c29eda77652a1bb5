#!/usr/bin/env bash
# The six procedures of memory optimisation, each a command of the program `supervisor`.
#
#   scripts/memory-optimization-procedures.sh status              what is held, by whom, and the verdict
#   scripts/memory-optimization-procedures.sh fix-ollama          finds what leaks and heals it
#   scripts/memory-optimization-procedures.sh test [SIZE...]      proves that 10, 20 and 25 GB can be had
#   scripts/memory-optimization-procedures.sh create-33b          a container for a 33B model, in 28 GB
#   scripts/memory-optimization-procedures.sh create-70b          a container for a 70B model, in 30 GB
#   scripts/memory-optimization-procedures.sh full-optimization   all of it in order, as one report
#
# What follows the procedure goes to the command: `... create-33b --dry-run`; `... create-33b --help` tells what it knows.
# The program is the installed one, else build/supervisor, else the one in the container "supervisor", else the image
# supervisor:latest. Exit status: the command's own; 2 no such procedure, 3 no program to be found.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
procedures=(status fix-ollama test create-33b create-70b full-optimization)

usage() {
  sed -n '4,13s/^# \{0,1\}//p' "$0"
}

case ${1:-} in
status | fix-ollama | test | create-33b | create-70b | full-optimization) ;;
-h | --help) usage; exit ;;
'') usage >&2; exit 2 ;;
*) echo "$me: unknown procedure \"$1\"; there are: ${procedures[*]}" >&2; exit 2 ;;
esac

container_runs() {
  [[ $(docker inspect -f '{{.State.Running}}' supervisor 2>/dev/null) == true ]]
}

# As compose/compose.yml starts it.
run_image() {
  local variable settings=()
  find_socket
  for variable in $(compgen -e | grep -E '^(SUPERVISOR_|MAX_MODEL_MEMORY_GB$)' | grep -vE '^SUPERVISOR_(STATE|PATHS_)'); do
    settings+=(-e "$variable")
  done
  exec docker run --rm "${terminal[@]}" --pid host --network host --read-only --security-opt no-new-privileges:true \
    --cap-drop ALL --cap-add KILL -e DOCKER_HOST=unix:///var/run/docker.sock -e SUPERVISOR_STATE=/var/lib/supervisor \
    -e SUPERVISOR_PATHS_PROCFS=/host/proc -e SUPERVISOR_PATHS_CGROUPFS=/host/sys/fs/cgroup "${settings[@]}" \
    -v /run/supervisor/locks:/run/supervisor/locks -v "$socket:/var/run/docker.sock" -v "${SUPERVISOR_STATE:-/var/lib/supervisor}:/var/lib/supervisor" \
    -v /proc:/host/proc:ro -v /sys/fs/cgroup:/host/sys/fs/cgroup supervisor:latest "$@"
}

terminal=()
[[ ! -t 0 || ! -t 1 ]] || terminal=(-it)
if command -v supervisor >/dev/null; then
  exec supervisor "$@"
elif [[ -x $root/build/supervisor ]]; then
  exec "$root/build/supervisor" "$@"
elif ! command -v docker >/dev/null; then
  die "there is neither the program nor Docker here: scripts/up makes both, make makes build/supervisor" 3
elif container_runs; then
  exec docker exec "${terminal[@]}" supervisor supervisor "$@"
elif docker image inspect supervisor:latest >/dev/null 2>&1; then
  run_image "$@"
fi
die 'the program is not to be found: not installed, no build/supervisor, no container "supervisor", no image supervisor:latest (or no engine that answers). scripts/up makes it' 3
