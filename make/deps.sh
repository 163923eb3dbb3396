#!/bin/sh
# SPDX-License-Identifier: MIT
# deps.sh [-q] PACKAGE …: installs those Debian packages that are missing, without questions, and says so. On a system without
# apt it prints what to install there and exits 2. With -q it says only what it installs, and what apt says when that fails.

is_quiet=
if [ "${1-}" = -q ]; then
  is_quiet=yes
  shift
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  cat >&2 <<'END'
cunnekt: packages are installed by `make deps` on Debian and Ubuntu only. Elsewhere install these first (the second
line of each is for `make test` and `make lint` only):
  dnf     gcc make pkgconf-pkg-config lua lua-devel libuv-devel libcurl-devel libmicrohttpd-devel openssl-devel sqlite-devel utf8proc-devel libpq-devel tzdata libedit
          luarocks openssl procps-ng cppcheck clang clang-tools-extra
  apk     build-base pkgconf lua5.4 lua5.4-dev libuv-dev curl-dev libmicrohttpd-dev openssl-dev sqlite-dev utf8proc-dev libpq-dev tzdata libedit
          luarocks5.4 openssl procps cppcheck clang clang-extra-tools
  pacman  base-devel lua54 libuv curl libmicrohttpd openssl sqlite utf8proc postgresql-libs tzdata libedit
          luarocks procps-ng cppcheck clang
  brew    pkg-config lua@5.4 libuv curl libmicrohttpd openssl@3 sqlite utf8proc libpq
          luarocks cppcheck llvm
and then: luarocks --lua-version=5.4 install argparse lua-cjson (and busted, luacheck; each by itself)
END
  exit 2
fi

missing=
for package in "$@"; do
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)
  [ "$state" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
  [ -n "$is_quiet" ] || echo "cunnekt: nothing to install, all $# packages are there"
  exit 0
fi

if [ "$(id -u)" = 0 ]; then
  root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  root="sudo -n"
else
  echo "cunnekt: these packages are missing, and only root may install them:$missing" >&2
  echo "cunnekt: run this, then make again: sudo apt-get install --no-install-recommends$missing" >&2
  exit 1
fi

# Shows what a command says, or with -q only when it fails.
run() {
  if [ -z "$is_quiet" ]; then
    "$@"
    return
  fi
  said=$("$@" 2>&1 </dev/null) && return
  echo "$said" >&2
  return 1
}

echo "cunnekt: installing$missing"
# Old package lists may still do, so a failed update alone is no reason to stop.
run $root env DEBIAN_FRONTEND=noninteractive apt-get update -q || echo "cunnekt: apt-get update failed, going on" >&2
# shellcheck disable=SC2086 # one word a package
run $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing || {
  echo "cunnekt: apt-get could not install$missing" >&2
  exit 1
}
[ -n "$is_quiet" ] || echo "cunnekt: installed$missing"
