#!/usr/bin/env bash
# etcd 3.7.3: HashKV of one revision, with one and the same compact_revision, is two numbers: one before a compaction at
# that revision, another after it. It takes a store in which every key is deleted, the last one at that revision, and an
# earlier compaction.
#
# What a hash covers at or below the last compaction is decided by a set of versions to keep, and "everything, if the
# set is empty". The compaction's own set holds the tombstone of its revision, the set of a plain HashKV does not.
#
# It matters since members compare these numbers where the compact_revision is the same: a member that has compacted
# and one that is about to differ, although their data are equal.
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
build v3.7.3 go.etcd.io/etcd/server/v3 etcd
build v3.7.3 go.etcd.io/etcd/etcdctl/v3 etcdctl
"$work/etcd-v3.7.3" --version | sed -n 1p
serve v3.7.3

ctl put k 1 >/dev/null
ctl put k 2 >/dev/null
ctl compact 3 --physical
ctl del k >/dev/null
before=$(hash 4)
floor_before=$(floor 4)
ctl compact 4 --physical
after=$(hash 4)
floor_after=$(floor 4)
echo "HashKV at 4 before the compaction at 4: $before, compact_revision $floor_before"
echo "HashKV at 4 after the compaction at 4:  $after, compact_revision $floor_after"
if [ "$before" != "$after" ] && [ "$floor_before" = "$floor_after" ]; then
  echo "so it is: the same history, revision and compact_revision, and two hashes"
else
  echo "etcd behaves otherwise now"
  exit 1
fi
