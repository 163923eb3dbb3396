#!/bin/sh
# SPDX-License-Identifier: MIT
# both.sh MAKE: run.sh and tutorial.sh side by side, each on a copy of one bare Debian. Where that is not possible (no root, no mirror, a
# container that lets no system boot) it says so, and nothing has failed.
set -u
make=$1
here=$(cd "$(dirname "$0")" && pwd)
not_here() {
  echo "cunnekt: not tried on a bare Debian: $*"
  echo "0 passed, 0 failed"
  exit 0
}
[ "$(id -u)" = 0 ] || not_here "that needs root"
unshare --mount --pid --fork true 2>/dev/null || not_here "this container starts no other one"
sh make/deps.sh -q mmdebstrap systemd-container git dpkg-dev binutils || not_here "that needs Debian's mmdebstrap, systemd-container, git and dpkg-dev"
git rev-parse --quiet --verify HEAD >/dev/null || not_here "the tutorial begins with a clone, and there is no commit"
folder=$(mktemp -d) || exit 1
trap 'rm -rf --one-file-system "$folder"' EXIT

# The package meanwhile.
sh "$here/system.sh" "$folder/bare" >"$folder/made" 2>&1 &
$make deb >"$folder/built" 2>&1
is_built=$?
wait $! || not_here "$(cat "$folder/made")"
said=$(systemd-nspawn --quiet --private-network --directory="$folder/bare" --register=no --keep-unit --console=pipe true 2>&1 </dev/null) ||
  not_here "systemd-nspawn runs nothing here: $said"
if [ "$is_built" != 0 ]; then
  cat "$folder/built"
  echo "0 passed, 1 failed"
  exit 1
fi

export BARE_DEBIAN="$folder/bare"
sh "$here/run.sh" build-deb/*.deb >"$folder/package" 2>&1 &
sh "$here/tutorial.sh"
tutorial=$?
wait $!
package=$?
cat "$folder/package"
[ "$tutorial" != 3 ] && [ "$package" != 3 ] || not_here "no system boots here"
[ "$tutorial$package" = 00 ]
