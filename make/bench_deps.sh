#!/bin/sh
# SPDX-License-Identifier: MIT
# bench_deps.sh FOLDER: installs what `make bench` compares with from the npm registry into FOLDER. The packages' own install
# scripts do not run, for npm may not allow them and some download programs: what they are needed for is done here.
set -e
cd "$1"
npm install --silent --ignore-scripts --no-audit --no-fund --no-save --prefix . \
  undici@7 whatsapp-api-js@6 bun@1 better-sqlite3@11

# Bun's program comes as a package of its own, and is moved to where npm has linked it.
node_modules/.bin/bun --version >/dev/null 2>&1 || node node_modules/bun/install.js
node_modules/.bin/bun --version >/dev/null

# better-sqlite3 is compiled, with the headers of the Node that is there.
if ! node -e 'new (require("better-sqlite3"))(":memory:")' 2>/dev/null; then
  prefix=$(node -p 'path.resolve(process.execPath, "../..")')
  headers=
  [ -e "$prefix/include/node/node.h" ] && headers="--nodedir=$prefix"
  echo "cunnekt: compiling better-sqlite3, which takes some minutes"
  # shellcheck disable=SC2086 # one word or none
  (cd node_modules/better-sqlite3 && npx --yes node-gyp@11 rebuild --release $headers >build.log 2>&1) || {
    tail -n 20 node_modules/better-sqlite3/build.log >&2
    exit 1
  }
fi
for name in undici whatsapp-api-js bun better-sqlite3; do
  echo "cunnekt: $name $(node -p "require('./node_modules/$name/package.json').version")"
done
