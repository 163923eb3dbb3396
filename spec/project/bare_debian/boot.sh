#!/bin/sh
# SPDX-License-Identifier: MIT
# boot.sh FOLDER REPORT SERVICE …: boots the system in the folder without a network, with a service of these lines that writes the file REPORT
# in there, and prints that. Its last line says how many checks passed. Exits with 3 where no system can be booted.
set -eu
root=$1 report=$2
shift 2
{
  printf '%s\n' '[Service]' "$@" 'ExecStopPost=+systemctl poweroff' '[Install]' 'WantedBy=multi-user.target'
} > "$root/etc/systemd/system/checks.service"
systemctl --root="$root" --quiet enable checks
timeout 180 systemd-nspawn --quiet --private-network --directory="$root" --register=no --keep-unit --boot >"$root.log" 2>&1 || :
if [ ! -s "$root$report" ]; then
  tail -n 3 "$root.log" >&2
  echo "cunnekt: systemd-nspawn cannot boot a system" >&2
  exit 3
fi
cat "$root$report"
tail -n 1 "$root$report" | grep -q '^[1-9][0-9]* passed, 0 failed$'
