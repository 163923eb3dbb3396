#!/bin/sh
# SPDX-License-Identifier: MIT
# Plays a conversation between examples/feedback.lua and a local Cunnekt: two processes, real sockets, free ports. A third,
# demo_player.lua, is the customer, and checks the replies. Exits 0 when all are as expected; no process is left running.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
host=${CUNNEKT_HOST:-cunnekt}
folder=$(mktemp -d)
pids=
is_bot_up=

finish() {
  code=$?
  trap - EXIT
  for pid in $pids; do kill "$pid" 2>/dev/null || :; done
  for pid in $pids; do wait "$pid" 2>/dev/null || :; done
  if [ "$code" -ne 0 ] && [ -n "$is_bot_up" ]; then cat <&4 >&2 || :; fi # the bot's log
  rm -rf "$folder"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The demo ignores the caller's settings.
unset CUNNEKT_WEBHOOK_PATH CUNNEKT_WEBHOOK_SECRET CUNNEKT_APP_SECRET CUNNEKT_VERIFY_TOKEN CUNNEKT_RATE CUNNEKT_PAIR_RATE
export CUNNEKT_API_KEY=demo CUNNEKT_STORE=memory: CUNNEKT_LISTEN=127.0.0.1:0
cd "$folder"

# Each process writes into a named pipe, so reading the line with its address waits until it listens.
address=
await_address() { # PATTERN: reads standard input up to the first line with PATTERN, and sets address to what follows it
  while read -r line; do
    case $line in *"$1"*)
      address=${line#*"$1"}
      address=${address%%[, ]*}
      return 0 ;;
    esac
    echo "$line" >&2
  done
  echo "demo: a process ended before it said where it listens" >&2
  return 1
}

mkfifo sandbox bot
"$host" sandbox --quiet --listen 127.0.0.1:0 >sandbox &
pids="$pids $!"
exec 3<sandbox
await_address "sandbox on " <&3
sandbox=${address%/v1}

CUNNEKT_BASE_URL=$sandbox/v1 "$host" run "$here/feedback.lua" 2>bot &
pids="$pids $!"
exec 4<bot
is_bot_up=yes
await_address "listening on " <&4

echo "A customer, Vivek, writes to the bot examples/feedback.lua through a local Cunnekt:
"
# In the background: a shell handles signals only while it is in wait.
"$host" run "$here/demo_player.lua" "$sandbox" "http://$address/webhook" &
pids="$pids $!"
wait $!

cat <<'END'
That was examples/feedback.lua, with a local Cunnekt in the place of the real one: two processes on this machine, and nobody was
reached. Go on with

  eval "$(make -s env)"                # so that this shell finds cunnekt; or, for all: sudo make install
  cunnekt dev examples/feedback.lua    # talk to it yourself, without an account
  cunnekt new shop                     # a bot of your own: shop/bot.lua, shop/README.md
  cunnekt dev shop/bot.lua

From there to a bot in service, in an hour: docs/tutorial.md
END
