#!/bin/sh
# SPDX-License-Identifier: MIT
# system.sh FOLDER: makes a bare Debian there, with systemd and sudo: a copy of the one in the folder $BARE_DEBIAN, where that is set. Needs
# root, mmdebstrap, and a mirror of Debian. Exits with 3 where there is none.
set -eu
root=$1
if [ -n "${BARE_DEBIAN-}" ]; then
  exec cp -a --reflink=auto "$BARE_DEBIAN" "$root"
fi
[ "$(id -u)" = 0 ] || { echo "cunnekt: only root may make a system in a folder" >&2; exit 3; }
# It is thrown away, so that nothing need be safe on a disk: a third of the time.
mmdebstrap --quiet --variant=minbase --include=systemd,dbus,sudo --dpkgopt=force-unsafe-io --aptopt='Acquire::Languages "none"' \
  "${DEBIAN_SUITE:-bookworm}" "$root" >"$root.log" 2>&1 || {
  tail -n 3 "$root.log" >&2
  echo "cunnekt: mmdebstrap cannot make a bare Debian" >&2
  exit 3
}
echo force-unsafe-io > "$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
