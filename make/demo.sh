#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh MAKE HOST PACKAGE …: for `make demo`. Installs the packages that are missing, builds with one line of progress in place of
# the compiler's, which are shown when it fails, and plays the conversation. Asks nothing, and reads no input.
set -u
make=$1 host=$2
shift 2

sh make/deps.sh -q "$@" || exit

log=$(mktemp) || exit 1
progress=
finish() {
  [ -z "$progress" ] || kill "$progress" 2>/dev/null
  rm -f "$log"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

compiled() { grep -c -- ' -c -o ' "$log"; }

# Of how many files is known for the first time only: later some of them are built already.
if [ -x "$host" ]; then
  of=
else
  of=" of $(($(find src -name '*.c' -not -path 'src/store/breaking/*' | wc -l) + 2))"
fi
began=$(date +%s)
if [ -t 1 ]; then
  (
    while sleep 0.2; do
      count=$(compiled)
      [ "$count" = 0 ] || printf '\rbuilding cunnekt: %s%s files' "$count" "$of"
    done
  ) &
  progress=$!
elif [ -n "$of" ]; then
  echo "building cunnekt:${of# of} files"
fi
# shellcheck disable=SC2086 # a command and its options
$make all >"$log" 2>&1 </dev/null
status=$?
if [ -n "$progress" ]; then
  kill "$progress"
  wait "$progress" 2>/dev/null
  progress=
  if [ "$status" = 0 ] && [ "$(compiled)" != 0 ]; then
    printf '\rbuilding cunnekt: %s files in %s s   \n' "$(compiled)" "$(($(date +%s) - began))"
  fi
fi
if [ "$status" != 0 ]; then
  [ ! -t 1 ] || echo
  grep -v -e ' -c -o ' -e '^cp ' "$log" >&2
  echo "cunnekt: the build failed; what the compiler says is above" >&2
  exit "$status"
fi
CUNNEKT_HOST=$host sh examples/demo.sh </dev/null
