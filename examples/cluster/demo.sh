#!/bin/sh
# SPDX-License-Identifier: MIT
# Three hosts on one database of PostgreSQL, on this machine: customers write to them in turn, the one that has the database is killed,
# and every message is answered, once and in order. `make demo-cluster` starts the database, whose URL is in CUNNEKT_STORE. A fourth
# process, player.lua, writes as the customers, kills, and checks. Exits 0 when all is as expected; no process is left running.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
host=${CUNNEKT_HOST:-cunnekt}
folder=$(mktemp -d)
pids=

finish() {
  code=$?
  trap - EXIT
  for pid in $pids; do kill "$pid" 2>/dev/null || :; done
  for pid in $pids; do wait "$pid" 2>/dev/null || :; done
  if [ "$code" -ne 0 ]; then cat "$folder"/*.log >&2 || :; fi
  rm -rf "$folder"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The demo ignores the caller's settings.
unset CUNNEKT_WEBHOOK_PATH CUNNEKT_WEBHOOK_SECRET CUNNEKT_APP_SECRET CUNNEKT_VERIFY_TOKEN
export CUNNEKT_API_KEY=demo CUNNEKT_RATE=0 CUNNEKT_PAIR_RATE=0 CUNNEKT_TAKE_OVER=2
: "${CUNNEKT_STORE:?the URL of a database of PostgreSQL}"
cd "$folder"

# Waits until a log has a line with PATTERN, and sets address to what follows it.
await() { # LOG PATTERN
  tries=0
  until grep -q "$2" "$1" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { echo "demo: a process did not start" >&2; return 1; }
    sleep 0.1
  done
  address=$(sed -n "s/.*$2\\([^, ]*\\).*/\\1/p" "$1" | head -n 1)
}

"$host" sandbox --quiet --open --listen 127.0.0.1:0 >sandbox.log 2>&1 &
pids=$!
await sandbox.log 'sandbox on '
sandbox=${address%/v1}

hosts=
for number in 1 2 3; do
  # A fixed port for each, since one that stands by says no address; none that the system gives away by itself.
  mkdir "$number"
  cp "$here/bot.lua" "$number/"
  port=$((24700 + number))
  (cd "$number" && CUNNEKT_BASE_URL=$sandbox/v1 CUNNEKT_LISTEN=127.0.0.1:$port exec "$host" run bot.lua) 2>"$number.log" &
  pids="$pids $!"
  hosts="$hosts $! http://127.0.0.1:$port/webhook"
  await "$number.log" 'listening on \|standing by: cunnekt on '
done

# In the background: a shell handles signals only while it is in wait.
# shellcheck disable=SC2086 # a list
"$host" run "$here/player.lua" "$host" "$sandbox" $hosts &
pids="$pids $!"
wait $!
