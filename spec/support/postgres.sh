#!/bin/sh
# SPDX-License-Identifier: MIT
# A PostgreSQL of its own for specs: postgres.sh COMMAND …, where COMMAND is run with it and CUNNEKT_TEST_POSTGRES is its URL. It
# listens on a Unix socket in a temporary folder, belongs to an unprivileged user, and ends with the command.
#
# For the command: postgres.sh --restart, --stop and --start do that to it; --sql DATABASE TEXT runs a statement.
set -u

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb || echo /nowhere/initdb)")
[ -x "$bin/initdb" ] || { echo "postgres.sh: there is no PostgreSQL (initdb)" >&2; exit 2; }

# The server refuses to be root's.
as_owner() {
  if [ "$(id -u)" != 0 ]; then
    "$@"
  elif id postgres >/dev/null 2>&1; then
    runuser -u postgres -- "$@"
  else
    runuser -u nobody -- "$@"
  fi
}

control() {
  as_owner "$bin/pg_ctl" -D "$CUNNEKT_TEST_CLUSTER/data" -s -w -t 60 "$@"
}

case ${1-} in
--restart) control restart -m immediate -l "$CUNNEKT_TEST_CLUSTER/log"; exit ;;
--stop) control stop -m immediate; exit ;;
--start) control start -l "$CUNNEKT_TEST_CLUSTER/log"; exit ;;
--sql) as_owner "$bin/psql" -h "$CUNNEKT_TEST_CLUSTER" -U cunnekt -d "$2" -qAtX -v ON_ERROR_STOP=1 -c "$3"; exit ;;
esac

CUNNEKT_TEST_CLUSTER=$(mktemp -d /tmp/cunnekt-postgres.XXXXXX) || exit 1
export CUNNEKT_TEST_CLUSTER
chmod 755 "$CUNNEKT_TEST_CLUSTER"
[ "$(id -u)" != 0 ] || chown "$(as_owner id -u)" "$CUNNEKT_TEST_CLUSTER"

finish() {
  trap '' INT TERM HUP
  control stop -m immediate >/dev/null 2>&1
  rm -rf "$CUNNEKT_TEST_CLUSTER"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

cd / || exit 1
as_owner "$bin/initdb" -D "$CUNNEKT_TEST_CLUSTER/data" -U cunnekt -A trust -E UTF8 --locale=C -N >"$CUNNEKT_TEST_CLUSTER/initdb" 2>&1 ||
  { cat "$CUNNEKT_TEST_CLUSTER/initdb" >&2; exit 1; }
as_owner sh -c "cat >>'$CUNNEKT_TEST_CLUSTER/data/postgresql.conf'" <<END
listen_addresses = ''
unix_socket_directories = '$CUNNEKT_TEST_CLUSTER'
max_connections = 50
shared_buffers = 64MB
fsync = off
autovacuum = off
END
control start -l "$CUNNEKT_TEST_CLUSTER/log" || { cat "$CUNNEKT_TEST_CLUSTER/log" >&2; exit 1; }
export CUNNEKT_TEST_POSTGRES="postgres:///postgres?host=$CUNNEKT_TEST_CLUSTER&user=cunnekt"
cd "$OLDPWD" || exit 1
"$@"
