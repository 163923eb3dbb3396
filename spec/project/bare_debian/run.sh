#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh PACKAGE: installs the package on a bare Debian, boots that with its systemd, and follows there what `cunnekt new`
# writes into README.md, word for word. The booted system has no network. See system.sh, boot.sh and inside.sh.
set -eu
package=$1
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf --one-file-system "$folder"' EXIT
root=$folder/root

echo "== the package on a bare Debian"
sh "$here/system.sh" "$root"
install -m 644 "$package" "$root/root/cunnekt.deb"
install -m 755 "$here/inside.sh" "$root/root/inside.sh"
chroot "$root" sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends /root/cunnekt.deb' \
  >"$folder/log" 2>&1 || {
  cat "$folder/log" >&2
  echo "0 passed, 1 failed"
  exit 1
}
sh "$here/boot.sh" "$root" /root/log ExecStart=/root/inside.sh
