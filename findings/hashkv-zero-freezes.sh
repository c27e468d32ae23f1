#!/usr/bin/env bash
# etcd 3.7.3: after a compaction at revision 0, HashKV without a revision answers one and the same hash, whatever is
# written, until ten other compactions have followed. 0 stands for the current revision there; but the compaction keeps
# the hash of nothing under the number 0, and that is what is found.
#
# It matters since this is what `etcdctl endpoint hashkv` asks for, and what etcd's own corruption checks ask for: they
# then compare nothing with nothing.
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
one=$(hash 0)
ctl put k 2 >/dev/null
two=$(hash 0)
echo "before a compaction: HashKV is $one, and after one more put $two"
ctl compact 0
ctl put k 3 >/dev/null
three=$(hash 0)
ctl put k 4 >/dev/null
four=$(hash 0)
named=$(hash 5)
echo "after compact 0:     HashKV is $three, and after one more put $four; by its number (5) the current one is $named"
if [ "$one" != "$two" ] && [ "$three" = "$four" ] && [ "$four" != "$named" ]; then
  echo "so it is: HashKV without a revision is frozen"
else
  echo "etcd behaves otherwise now"
  exit 1
fi
