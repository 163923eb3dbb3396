#!/bin/sh
# SPDX-License-Identifier: MIT
# A PostgreSQL of its own for specs: postgres.sh COMMAND …, where COMMAND is run with it and CUNNEKT_TEST_POSTGRES is its URL. It
# listens on a Unix socket in a temporary folder, belongs to an unprivileged user, and ends with the command.
#
# postgres.sh --durable COMMAND …: for measurements. It syncs as one in production does, is in /var/tmp, which is on a disk where
# /tmp is not, and CUNNEKT_TEST_POSTGRES_PID is its main process. A signal ends the command with all that it has started.
#
# For the command: postgres.sh --restart, --stop and --start do that to it; --sql DATABASE TEXT runs a statement.
#
# And more servers, on 127.0.0.1, which end with the command as well: --new NAME PORT makes one, --copy NAME PORT OF a standby of the
# one at the port OF, with the name "copy" there; --promote NAME ends that. --kill NAME is the sudden end of a server, of all its
# processes; --end NAME of one that says so to its clients. Both throw it away. --sql-at PORT TEXT runs a statement.
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

# `data` of a server: its folder. Only processes are killed, so nothing needs to be synced.
configure() {
  as_owner sh -c "cat >>'$1/postgresql.conf'" <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 30
shared_buffers = 32MB
fsync = off
autovacuum = off
wal_keep_size = 256MB
END
}

begin() {
  as_owner "$bin/pg_ctl" -D "$1" -s -w -t 60 -o "-p $2" -l "$1.log" start || { cat "$1.log" >&2; exit 1; }
}

make_new() {
  as_owner "$bin/initdb" -D "$1" -U cunnekt -A trust -E UTF8 --locale=C -N >"$1.initdb" 2>&1 || { cat "$1.initdb" >&2; exit 1; }
  configure "$1"
  begin "$1" "$2"
}

make_copy() {
  as_owner "$bin/pg_basebackup" -D "$1" -h 127.0.0.1 -p "$3" -U cunnekt -c fast -N --no-manifest || exit 1
  as_owner sh -c "cat >>'$1/postgresql.auto.conf'; touch '$1/standby.signal'" <<END
primary_conninfo = 'host=127.0.0.1 port=$3 user=cunnekt application_name=copy'
synchronous_standby_names = ''
wal_retrieve_retry_interval = 100
END
  begin "$1" "$2"
}

# The postmaster first, so that it starts none of the others anew.
kill_all() {
  main=$(head -n 1 "$1/postmaster.pid")
  others=$(ps -o pid= --ppid "$main")
  kill -s KILL "$main" $others 2>/dev/null
  rm -rf "$1"
}

case ${1-} in
--new) make_new "$CUNNEKT_TEST_CLUSTER/$2" "$3"; exit ;;
--copy) make_copy "$CUNNEKT_TEST_CLUSTER/$2" "$3" "$4"; exit ;;
--promote) as_owner "$bin/pg_ctl" -D "$CUNNEKT_TEST_CLUSTER/$2" -s -w -t 60 promote; exit ;;
--kill) kill_all "$CUNNEKT_TEST_CLUSTER/$2"; exit ;;
--end) as_owner "$bin/pg_ctl" -D "$CUNNEKT_TEST_CLUSTER/$2" -s -w -t 60 stop -m immediate; rm -rf "${CUNNEKT_TEST_CLUSTER:?}/$2"; exit ;;
--sql-at) as_owner "$bin/psql" -h 127.0.0.1 -p "$2" -U cunnekt -d postgres -qAtX -v ON_ERROR_STOP=1 -c "$3"; exit ;;
--restart) control restart -m immediate -l "$CUNNEKT_TEST_CLUSTER/log"; exit ;;
--stop) control stop -m immediate; exit ;;
--start) control start -l "$CUNNEKT_TEST_CLUSTER/log"; exit ;;
--sql) as_owner "$bin/psql" -h "$CUNNEKT_TEST_CLUSTER" -U cunnekt -d "$2" -qAtX -v ON_ERROR_STOP=1 -c "$3"; exit ;;
esac

parent=/tmp
loose='fsync = off
autovacuum = off'
if [ "${1-}" = --durable ]; then
  shift
  parent=/var/tmp
  loose='fsync = on
synchronous_commit = on
full_page_writes = on'
  is_durable=1
fi

CUNNEKT_TEST_CLUSTER=$(mktemp -d "$parent/cunnekt-postgres.XXXXXX") || exit 1
export CUNNEKT_TEST_CLUSTER
chmod 755 "$CUNNEKT_TEST_CLUSTER"
[ "$(id -u)" != 0 ] || chown "$(as_owner id -u)" "$CUNNEKT_TEST_CLUSTER"

end_group() { # of processes
  kill -s TERM -- "-$1" 2>/dev/null
  tries=0
  while kill -s 0 -- "-$1" 2>/dev/null && [ "$tries" -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  kill -s KILL -- "-$1" 2>/dev/null
}

command=
finish() {
  trap '' INT TERM HUP
  [ -z "$command" ] || end_group "$command"
  control stop -m immediate >/dev/null 2>&1
  for more in "$CUNNEKT_TEST_CLUSTER"/*/postmaster.pid; do
    [ ! -f "$more" ] || as_owner "$bin/pg_ctl" -D "$(dirname "$more")" -s stop -m immediate >/dev/null 2>&1
  done
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
$loose
END
control start -l "$CUNNEKT_TEST_CLUSTER/log" || { cat "$CUNNEKT_TEST_CLUSTER/log" >&2; exit 1; }
export CUNNEKT_TEST_POSTGRES="postgres:///postgres?host=$CUNNEKT_TEST_CLUSTER&user=cunnekt"
cd "$OLDPWD" || exit 1
if [ -z "${is_durable-}" ]; then
  "$@"
  exit
fi
# In the background: a shell handles signals only while it is in wait. In a group of its own, which is ended as a whole.
CUNNEKT_TEST_POSTGRES_PID=$(head -n 1 "$CUNNEKT_TEST_CLUSTER/data/postmaster.pid")
export CUNNEKT_TEST_POSTGRES_PID
setsid "$@" &
command=$!
wait "$command"
