# What the scripts of the whole small stack (compose/memory-optimized.yml) share. Sourced behind lib.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here and used there, and the other way round

stack_project=memory-optimized
stack_file=$root/compose/memory-optimized.yml
stack_env=$root/compose/.env # what Compose reads beside the file
stack_services=(postgres redis chromadb ollama backend frontend supervisor)

need_engine() { # it answers, and Docker's own command is here
  find_socket
  command -v docker >/dev/null || die 'the command "docker" is missing: scripts/up installs an engine, or apt-get install docker.io' 3
  command -v curl >/dev/null || die 'the command "curl" is missing: apt-get install curl' 3
  engine_answers || die "no engine answers at $socket: start it (systemctl start docker), or name another by DOCKER_HOST" 3
}

need_compose() {
  find_compose || die 'neither "docker compose" nor "docker-compose" works here: apt-get install docker-compose' 3
}

stack() { # ARGUMENT...: Compose on the stack
  DOCKER_SOCKET=$socket "${compose_command[@]}" -p "$stack_project" -f "$stack_file" "$@"
}

stack_container() { # SERVICE: its container's id, running or not; nothing where there is none
  docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$stack_project" \
    --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False | head -n 1
}

stack_up() { # LOG: starts what is not there, makes anew what has changed
  stack up -d >"$1" 2>&1 && return
  # Compose 1.29.2 cannot make a container anew whose image a newer engine made: without the old one it can.
  grep -q ContainerConfig "$1" || return 1
  docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$stack_project" | xargs -r docker rm -f >/dev/null
  stack up -d >"$1" 2>&1
}

# ---- compose/.env: NAME=value lines, comments, nothing else

check_stack_env() { # refuses what Compose would read otherwise than it looks
  local bad
  [[ ! -e $stack_env || -f $stack_env ]] || die "$stack_env is no file" 2
  [[ -e $stack_env ]] || return 0
  bad=$(grep -nvaE '^[[:space:]]*(#.*)?$|^[A-Za-z_][A-Za-z0-9_]*=' "$stack_env" | head -n 1 | cut -d : -f 1) || true
  [[ -z $bad ]] || die "line $bad of $stack_env is neither a comment nor NAME=value" 2
  if [[ $(stat -c %a "$stack_env") != *00 ]]; then
    chmod 600 "$stack_env"
    say "· $stack_env was readable for others: it has passwords, and is yours alone now (0600)"
  fi
}

stack_setting() { # NAME: its value there; where it is not there, nothing
  [[ ! -e $stack_env ]] || sed -n "s/^$1=//p" "$stack_env" | tail -n 1
}

# The file is replaced as a whole, so that whoever reads it sees the old one or the new one. What it holds is on no command
# line, which all can read, and in no file but a copy beside it, 0600 from the first byte.
set_stack_settings() { # NAME=VALUE...: adds or replaces these, keeps the rest; sets env_changed
  local setting line name text='' source=$stack_env
  local -A given=() known=()
  [[ -e $source ]] || source=$stack_env_example
  for setting in "$@"; do given[${setting%%=*}]=$setting; done
  while IFS= read -r line || [[ -n $line ]]; do
    name=''
    [[ ! $line =~ ^([A-Za-z_][A-Za-z0-9_]*)= ]] || name=${BASH_REMATCH[1]}
    if [[ -n $name && -n ${given[$name]:-} ]]; then
      line=${given[$name]}
      known[$name]=yes
    fi
    text+=$line$'\n'
  done <"$source"
  for setting in "$@"; do
    [[ -n ${known[${setting%%=*}]:-} ]] || text+=$setting$'\n'
  done
  env_changed=no
  if [[ -e $stack_env && $text. == "$(cat "$stack_env" && echo .)" ]]; then return; fi
  find "${stack_env%/*}" -maxdepth 1 -name '.env.new.*' -mmin +1 -delete # of one that was killed
  env_copy=$(mktemp "$stack_env.new.XXXXXX") # 0600
  printf %s "$text" >"$env_copy"
  chown --reference="$root" "$env_copy"
  mv "$env_copy" "$stack_env"
  env_changed=yes
}

finish() { # of all that share this file
  rm -f "${log:-}" "$env_copy"
}
env_copy=''
stack_env_example=$root/compose/memory-optimized.env.example
env_changed=no

new_password() { # 32 letters and digits: they are also part of URLs
  local text
  text=$(head -c 96 /dev/urandom | base64 -w 0 | tr -d '+/=')
  echo "${text:0:32}"
}

make_passwords() { # those that are not there yet
  local name value wanted=()
  for name in POSTGRES_PASSWORD REDIS_PASSWORD; do
    value=$(stack_setting "$name")
    [[ $value =~ ^[A-Za-z0-9._~-]*$ ]] ||
      die "$name in $stack_env has other characters than letters, digits and . _ ~ -: it is part of a URL" 2
    [[ -n $value ]] || wanted+=("$name=$(new_password)")
  done
  [[ ${#wanted[@]} -gt 0 ]] || return 0
  if docker volume inspect "${stack_project}_postgres" >/dev/null 2>&1 && [[ ${wanted[*]} == *POSTGRES_PASSWORD=* ]]; then
    die "there is a database in the volume ${stack_project}_postgres, but not its password in $stack_env: put POSTGRES_PASSWORD back there, or remove the database by scripts/deploy_memory_optimized_system.sh --down --purge"
  fi
  set_stack_settings "${wanted[@]}"
  say "· made the missing passwords in compose/.env, readable for you alone"
}

# ---- sizes

to_mib() { # 768m, 6g
  case $1 in
  *g) echo $((${1%g} * 1024)) ;;
  *m) echo "${1%m}" ;;
  *) die "\"$1\" is no size in m or g" ;;
  esac
}

stack_limit() { # SERVICE: its mem_limit, as the file says it
  local file=$stack_file
  [[ $1 != supervisor ]] || file=$root/compose/compose.yml
  awk -v service="  $1:" '/^  [a-z]/ { here = ($0 == service) } here && $1 == "mem_limit:" { print $2 }' "$file"
}

stack_cores() { # SERVICE: how many it may use, as the file says it; nothing: all
  awk -v service="  $1:" '/^  [a-z]/ { here = ($0 == service) } here && $1 == "cpu_quota:" { print $2 / 100000 }' "$stack_file"
}

# ---- Ollama's API, at its container's own address

ollama_address() { # http://ADDRESS:11434; nothing where it has none
  local id ip
  id=$(stack_container ollama)
  [[ -n $id ]] || return 0
  ip=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$id")
  ip=${ip%% *}
  [[ -z $ip ]] || echo "http://$ip:11434"
}

# "3B" models have up to 3.2e9 parameters (llama3.2:3b), the next size is 3.8 (phi3:mini): 3.5 lies between.
is_small() { # BILLIONS
  awk -v billions="$1" 'BEGIN { exit !(billions <= 3.5) }'
}
