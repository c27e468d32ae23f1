#!/bin/bash
# Builds the console's page of server/console/web into server/console/dist: build.sh CACHE. npm and Node (20 or newer) are
# Debian's. What is needed of npm lies in CACHE, beside the checkout's sources.
set -eu -o pipefail
mkdir -p "$1"
cache=$(cd "$1" && pwd)
cd "$(dirname "$0")"
command -v npm >/dev/null || apt-get install -y --no-install-recommends nodejs npm
mkdir -p "$cache/web"
# node_modules stays, unless what is wanted has changed.
rm -rf "$cache/web/src" "$cache/web/public" "$cache/web/dist"
cmp -s web/package-lock.json "$cache/web/package-lock.json" || rm -rf "$cache/web/node_modules"
cp -r web/. "$cache/web/"
cd "$cache/web"
test -d node_modules || npm ci --no-audit --no-fund
npm run --silent build
cd - >/dev/null
rm -rf dist
cp -r "$cache/web/dist" dist
