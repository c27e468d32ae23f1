#!/usr/bin/env bash
# etcdutl 3.7.3: `snapshot restore --bump-revision N --mark-compacted` leaves a key behind that nobody has put: the empty
# one, without a value. No request can read or delete it, for etcd refuses an empty key, and no compaction takes it away.
# It is counted among the keys, by `etcdutl snapshot status` as by the metric etcd_debugging_mvcc_keys_total, and HashKV
# hashes it: a store with the same keys at the same revisions, compacted at the same one, has another hash.
#
# It matters to those who check a restore by its number of keys, or compare stores by their hashes.
#
# Needs bash, go and access to Go modules; everything else goes into a temporary folder.
# Exits 0 if etcdutl behaves like this, 1 if it no longer does.
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

# serve VERSION RUN starts an etcd with the store in RUN (a new one, if there is none) on a socket in the temporary folder.
serve() {
  mkdir -p "$work/$2"
  cd "$work/$2"
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

echo "building (some minutes the first time) ..."
build v3.7.3 go.etcd.io/etcd/server/v3 etcd
build v3.7.3 go.etcd.io/etcd/etcdctl/v3 etcdctl
build v3.7.3 go.etcd.io/etcd/etcdutl/v3 etcdutl
"$work/etcdutl-v3.7.3" version | sed -n 1p

# restore RUN FLAGS... makes a store in RUN from the snapshot.
restore() {
  mkdir "$work/$1"
  "$work/etcdutl-v3.7.3" snapshot restore "$work/snapshot" --data-dir "$work/$1/data" "${@:2}" \
    --initial-cluster default=unix://localhost:2 --initial-advertise-peer-urls unix://localhost:2 >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 2; }
}
hash() { ctl endpoint hashkv -w json | field hash; }
readable() { ctl get "" --from-key --keys-only | grep -c . || true; }
counted() { # what a snapshot of the running etcd counts
  rm -f "$work/now"
  ctl snapshot save "$work/now" >/dev/null 2>&1
  "$work/etcdutl-v3.7.3" snapshot status "$work/now" -w json | field totalKey
}
# state compacts at the current revision, and sets revision, hash, readable keys and counted keys.
state() {
  revision=$(ctl put last v -w json | field revision)
  ctl compact "$revision" --physical >/dev/null
  hash=$(hash) readable=$(readable) counted=$(counted)
  echo "  compacted at $revision: HashKV $hash, keys that can be read: $readable, keys counted: $counted"
}

serve v3.7.3 first
for i in 1 2 3; do ctl put k$i v >/dev/null; done
ctl snapshot save "$work/snapshot" >/dev/null 2>&1
stop

echo "restored without a bump, and three revisions written that leave nothing:"
restore plain
serve v3.7.3 plain
ctl put k v >/dev/null
ctl put k v >/dev/null
ctl del k >/dev/null
state
plain="$revision $readable" plain_hash=$hash plain_counted=$counted
stop
echo "restored with a bump by three:"
restore bumped --bump-revision 3 --mark-compacted
serve v3.7.3 bumped
state
bumped="$revision $readable" bumped_hash=$hash bumped_counted=$counted
echo "and there, once every key is deleted:"
ctl del "" --from-key >/dev/null
state
if [ "$plain" = "8 4" ] && [ "$bumped" = "$plain" ] && [ "$plain_counted" = 4 ] && [ "$bumped_counted" = 5 ] &&
  [ "$plain_hash" != "$bumped_hash" ] && [ "$readable" = 1 ] && [ "$counted" = 2 ]; then
  echo "so it is: one key more than anybody has put, and it stays"
else
  echo "etcdutl behaves otherwise now"
  exit 1
fi
