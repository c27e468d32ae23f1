#!/usr/bin/env bash
# etcd 3.7.3 leaves the lease out of what it answers to a Range with keys_only, unless that sorts by value; 3.6.16 told it
# always. Since 3.7 such a request is answered from the index in memory, where the leases are not. (etcd issue 22209)
#
# It matters to those who ask for keys only to see whose they are: a key without a lease is one that never goes.
#
# Needs bash, go and access to Go modules; everything else goes into a temporary folder.
# Exits 0 if etcd behaves like this, 1 if it no longer does.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server"; wait "$server" || true; } 2>/dev/null; rm -rf "$work"' EXIT

# build VERSION PACKAGE NAME builds a program from the module that its package is in.
build() {
  mkdir -p "$work/module-$1-$3"
  cd "$work/module-$1-$3"
  go mod init finding >/dev/null 2>&1
  go get "$2@$1" >/dev/null 2>&1
  go build -mod=mod -o "$work/$3-$1" "$2"
}

# serve VERSION starts an etcd with an empty store on a socket in the temporary folder.
serve() {
  mkdir "$work/run-$1"
  cd "$work/run-$1"
  "$work/etcd-$1" --data-dir data --log-level error \
    --listen-client-urls unix://localhost:1 --advertise-client-urls unix://localhost:1 \
    --listen-peer-urls unix://localhost:2 --initial-advertise-peer-urls unix://localhost:2 \
    --initial-cluster default=unix://localhost:2 >log 2>&1 &
  server=$!
  for _ in $(seq 900); do
    if "$work/etcdctl-v3.7.3" --endpoints unix://localhost:1 endpoint health >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "etcd does not come up:"
  cat log
  exit 2
}

stop() { kill "$server"; wait "$server" || true; server=; }
ctl() { "$work/etcdctl-v3.7.3" --endpoints unix://localhost:1 "$@"; }
field() { grep -o "\"$1\":-\?[0-9]*" | sed -n 1p | cut -d: -f2; } # field NAME prints a number from JSON
hash() { ctl endpoint hashkv --rev "$1" -w json | field hash; }
floor() { ctl endpoint hashkv --rev "$1" -w json | field compact_revision; }

echo "building (some minutes the first time) ..."
build v3.7.3 go.etcd.io/etcd/etcdctl/v3 etcdctl
for version in v3.6.16 v3.7.3; do build $version go.etcd.io/etcd/server/v3 etcd; done

# leases VERSION prints the lease of a key as three requests tell it.
leases() {
  serve "$1"
  "$work/etcd-$1" --version | sed -n 1p
  id=$(ctl lease grant 600 -w json | field ID)
  ctl put k v --lease="$(printf %x "$id")" >/dev/null
  whole=$(ctl get k -w json | field lease || true)
  keys=$(ctl get k --keys-only -w json | field lease || true)
  sorted=$(ctl get k --keys-only --sort-by=VALUE -w json | field lease || true)
  echo "  lease of k: ${whole:-none} with the value, ${keys:-none} with keys_only, ${sorted:-none} with keys_only sorted by VALUE"
  stop
}
leases v3.6.16
[ -n "$whole" ] && [ "$keys" = "$whole" ] && [ "$sorted" = "$whole" ] || { echo "3.6 behaves otherwise"; exit 1; }
leases v3.7.3
if [ -n "$whole" ] && [ -z "$keys" ] && [ "$sorted" = "$whole" ]; then
  echo "so it is: 3.7.3 loses the lease with keys_only, and has it when sorting by VALUE"
else
  echo "etcd behaves otherwise now"
  exit 1
fi
