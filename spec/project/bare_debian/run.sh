#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh PACKAGE: installs the package on a bare Debian, boots that with its systemd, and follows there what `cunnekt new`
# writes into README.md, word for word. The booted system has no network. Needs root, mmdebstrap, systemd-nspawn and a mirror of
# Debian; see inside.sh.
set -eu
package=$1
here=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" = 0 ] || { echo "cunnekt: only root may boot a system in a folder" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf --one-file-system "$folder"' EXIT
root=$folder/root

echo "making a bare Debian in $root"
mmdebstrap --quiet --variant=minbase --include=systemd,dbus "${DEBIAN_SUITE:-bookworm}" "$root" >"$folder/log" 2>&1 || {
  cat "$folder/log" >&2
  exit 1
}
install -m 644 "$package" "$root/root/cunnekt.deb"
install -m 755 "$here/inside.sh" "$root/root/inside.sh"
cat > "$root/etc/systemd/system/first-hour.service" <<END
[Service]
ExecStart=/root/inside.sh
ExecStopPost=systemctl poweroff
[Install]
WantedBy=multi-user.target
END
echo "installing the package"
chroot "$root" sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends /root/cunnekt.deb' \
  >"$folder/log" 2>&1 || {
  cat "$folder/log" >&2
  exit 1
}
systemctl --root="$root" --quiet enable first-hour
echo "booting"
timeout 180 systemd-nspawn --quiet --private-network --directory="$root" --register=no --keep-unit --boot >"$folder/log" 2>&1 || :
cat "$root/root/log"
# Each check inside is a line; the last one says that none failed.
grep -q '^1 passed, 0 failed$' "$root/root/log"
