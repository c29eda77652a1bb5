#!/usr/bin/env bash
# Makes small models the default of the whole small stack (compose/memory-optimized.yml).
#
#   scripts/configure_small_models_default.sh [--model MODEL] [--fallback MODEL] [--pull]
#
# Writes DEFAULT_MODEL (qwen2.5:3b), FALLBACK_MODEL (llama3.2:3b), SMALL_MODEL_MODE, MEMORY_EFFICIENT_MODE and
# OLLAMA_KEEP_ALIVE (30s) to compose/.env, which the stack reads, and keeps what else is there. Where the stack runs, the
# containers that these reach are made anew; data and models stay. --pull gets both models (about 2 GB each) into the
# stack's Ollama. A model whose name says more than 3B is refused: the stack's 6 GB and 30 s are made for small ones.
# Exit status: 1 it failed, 2 wrong arguments or settings, 3 no engine.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/stack.sh
. "$(dirname "$0")/stack.sh"
default=qwen2.5:3b fallback=llama3.2:3b pull=no

usage() {
  sed -n '4,10s/^# \{0,1\}//p' "$0"
}

wrong() {
  echo "$me: $1" >&2
  exit 2
}

small_model() { # MODEL: a model's name, and none of a large one
  [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._/-]*(:[A-Za-z0-9][A-Za-z0-9._-]*)?$ ]] ||
    wrong "\"$1\" is no model's name; one looks like qwen2.5:3b"
  if [[ ${1#*:} =~ (^|[^0-9.])([0-9]+(\.[0-9]+)?)[bB]($|[^a-zA-Z]) ]] && ! is_small "${BASH_REMATCH[2]}"; then
    wrong "$1 has ${BASH_REMATCH[2]}B parameters by its name, but small models have 3B at most: qwen2.5:3b, llama3.2:3b, qwen2.5-coder:3b"
  fi
}

while [[ $# -gt 0 ]]; do
  case $1 in
  --model | --fallback)
    [[ $# -ge 2 ]] || wrong "$1 wants a model behind it"
    small_model "$2"
    if [[ $1 == --model ]]; then default=$2; else fallback=$2; fi
    shift
    ;;
  --pull) pull=yes ;;
  -h | --help) usage; exit ;;
  *) wrong "unknown argument \"$1\"; it knows --model, --fallback, --pull and --help" ;;
  esac
  shift
done

apply() { # to the stack that runs
  doing 'applying it to the stack that runs'
  stack_up "$log" || {
    grep -v 'attribute .version. is obsolete' "$log" | tail -n 20 >&2
    die 'Compose could not apply the settings; the lines above are what it said'
  }
}

wait_for_ollama() { # sets address
  local i
  step='waiting for Ollama'
  for ((i = 0; i < 120; i++)); do
    address=$(ollama_address)
    [[ -z $address ]] || ! curl -fs --max-time 1 "$address/api/version" >/dev/null 2>&1 || return 0
    sleep 0.5
  done
  die "Ollama does not answer after 60 s: docker logs $(stack_container ollama)"
}

pull_model() { # MODEL: with its progress on a terminal
  local line status='' total completed shown=''
  if curl -fsS --max-time 10 "$address/api/tags" | grep -qF "\"name\":\"$1\""; then
    say "· $1 is here already"
    return
  fi
  doing "pulling $1"
  while IFS= read -r line; do
    [[ $line != *'"error"'* ]] || { [[ -z $shown ]] || echo; die "Ollama could not pull $1: $(sed 's/.*"error":"\(.*\)"}.*/\1/; s/\\"/"/g' <<<"$line")"; }
    status=$(sed -n 's/.*"status":"\([^"]*\)".*/\1/p' <<<"$line")
    total=$(sed -n 's/.*"total":\([0-9]*\).*/\1/p' <<<"$line")
    completed=$(sed -n 's/.*"completed":\([0-9]*\).*/\1/p' <<<"$line")
    [[ -t 1 && ${total:-0} -gt 0 ]] || continue
    shown=yes
    printf '\r  %3d %% of %d MB ' $((${completed:-0} * 100 / total)) $((total / 1000000))
  done < <(curl -sS --no-buffer "$address/api/pull" -d "{\"model\":\"$1\"}" 2>&1 || true)
  [[ -z $shown ]] || echo
  [[ $status == success ]] || die "the pull of $1 ended without success${line:+ ($line)}: run this again to go on with it"
}

guard
need_root "$@"
log=$(mktemp)
undo='Run it again to go on.'
check_stack_env
set_stack_settings "DEFAULT_MODEL=$default" "FALLBACK_MODEL=$fallback" SMALL_MODEL_MODE=true MEMORY_EFFICIENT_MODE=true \
  OLLAMA_KEEP_ALIVE=30s
if [[ $env_changed == yes ]]; then
  say "· compose/.env: $default by default, $fallback when that fails"
else
  say "· compose/.env says so already: $default by default, $fallback when that fails"
fi
if command -v docker >/dev/null && command -v curl >/dev/null && find_socket && engine_answers; then
  if [[ -n $(stack_container ollama) ]]; then
    need_compose
    make_passwords
    apply
    running=yes
  fi
elif [[ $pull == yes ]]; then
  need_engine
fi
if [[ ${running:-no} == no ]]; then
  [[ $pull == no ]] || die 'the stack does not run, so there is no Ollama to pull into: scripts/deploy_memory_optimized_system.sh starts it'
  say 'Set. The stack does not run here: scripts/deploy_memory_optimized_system.sh starts it with them.'
  exit
fi
if [[ $pull == yes ]]; then
  wait_for_ollama
  pull_model "$default"
  pull_model "$fallback"
fi
say 'Set, and the stack runs with them. scripts/verify_small_models.sh checks all of it.'
