#!/bin/sh
# Stands where the official images of PostgreSQL and Redis have theirs: what they do with the command that Compose
# gives, with Debian's own servers. Not theirs: scripts, extensions, other variables.
set -eu
case ${1:-} in
postgres)
  PGDATA=${PGDATA:-/var/lib/postgresql/data}
  : "${POSTGRES_PASSWORD:?}"
  mkdir -p "$PGDATA"
  chown postgres:postgres "$PGDATA"
  as_postgres() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password
    chown postgres /tmp/password
    as_postgres initdb -D "$PGDATA" -U "${POSTGRES_USER:-postgres}" --pwfile=/tmp/password --auth-host=scram-sha-256 >/dev/null
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    echo "CREATE DATABASE \"$POSTGRES_DB\"" | as_postgres postgres --single -D "$PGDATA" postgres >/dev/null
  fi
  shift
  exec setpriv --reuid postgres --regid postgres --clear-groups postgres -D "$PGDATA" \
    -c "listen_addresses=*" -c unix_socket_directories=/tmp "$@"
  ;;
haproxy) # as the first process it would not hear SIGTERM
  "$@" &
  trap 'kill "$!"' TERM
  trap 'kill -s USR1 "$!"; wait "$!"' USR1
  wait "$!"
  ;;
redis-server) exec setpriv --reuid redis --regid redis --clear-groups "$@" ;;
*) exec "$@" ;;
esac
