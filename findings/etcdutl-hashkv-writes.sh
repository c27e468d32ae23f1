#!/usr/bin/env bash
# etcdutl 3.7.3: `etcdutl hashkv FILE` writes into FILE. If that is a snapshot, `etcdutl snapshot restore` refuses it
# from then on, for its sha256 no longer fits. Hashing a copy gives the same number and leaves the snapshot as it was.
#
# It matters since hashing a backup is how one checks it, and the check takes the backup's own seal from it.
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

echo "building (some minutes the first time) ..."
build v3.7.3 go.etcd.io/etcd/server/v3 etcd
build v3.7.3 go.etcd.io/etcd/etcdctl/v3 etcdctl
build v3.7.3 go.etcd.io/etcd/etcdutl/v3 etcdutl
"$work/etcdutl-v3.7.3" version | sed -n 1p
serve v3.7.3

sum() { sha256sum <"$1" | cut -c1-16; }
# restore FILE says whether a restore takes the file, and if not, why.
restore() {
  rm -rf "$work/restored"
  if "$work/etcdutl-v3.7.3" snapshot restore "$1" --data-dir "$work/restored" >"$work/restore.log" 2>&1; then
    echo taken
  else
    grep -o 'expected sha256' "$work/restore.log" | sed -n 1p || sed -n '$p' "$work/restore.log"
  fi
}
for i in 1 2 3; do ctl put k $i >/dev/null; done
ctl snapshot save "$work/snapshot" >/dev/null 2>&1
stop
chmod 600 "$work/snapshot"
cp "$work/snapshot" "$work/copy"
fresh=$(sum "$work/snapshot")
copy_hash=$("$work/etcdutl-v3.7.3" hashkv "$work/copy" -w json | field hash)
beside=$(sum "$work/snapshot")
good=$(restore "$work/snapshot")
echo "a copy hashed ($copy_hash): the snapshot's sum is $fresh before and $beside after, a restore: $good"
own_hash=$("$work/etcdutl-v3.7.3" hashkv "$work/snapshot" -w json | field hash)
written=$(sum "$work/snapshot")
bad=$(restore "$work/snapshot")
echo "itself hashed ($own_hash): the snapshot's sum is $fresh before and $written after, a restore: $bad"
if [ -n "$own_hash" ] && [ "$own_hash" = "$copy_hash" ] && [ "$fresh" = "$beside" ] && [ "$good" = taken ] &&
  [ "$fresh" != "$written" ] && [ "$bad" = "expected sha256" ]; then
  echo "so it is: to hash a snapshot is to write into it, and a restore refuses it then"
else
  sed 's/^/  /' "$work/restore.log"
  echo "etcdutl behaves otherwise now"
  exit 1
fi
