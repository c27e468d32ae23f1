#!/usr/bin/env bash
# kine 0.17.5 cannot page through all keys. A read from a key on (range_end "\0", etcdctl's --from-key) is answered with no
# keys, no count and no error, unless it begins at the start of everything. That one is answered whatever its limit: with a
# limit of 2 come all keys but the last, with more set, and the page that a client asks for next is empty. The last key is
# lost on the way, silently. With an end that is a key, such as "0" behind all paths, pages are right.
#
# It matters to whoever copies a store by pages, as etcdctl make-mirror does without a prefix.
#
# Needs bash, go with cgo (a C compiler) and access to Go modules; everything else goes into a temporary folder.
# Exits 0 if kine behaves like this, 1 if it no longer does.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server"; wait "$server" || true; } 2>/dev/null; rm -rf "$work"' EXIT

# build PACKAGE VERSION NAME builds a program from the module that its package is in.
build() {
  mkdir -p "$work/module-$3"
  cd "$work/module-$3"
  go mod init finding >/dev/null 2>&1
  go get "$1@$2" >/dev/null 2>&1
  go build -mod=mod -o "$work/$3" "$1"
}

echo "building (some minutes the first time) ..."
build github.com/k3s-io/kine v0.17.5 kine
build go.etcd.io/etcd/etcdctl/v3 v3.7.3 etcdctl

mkdir "$work/run"
cd "$work/run"
"$work/kine" --listen-address "unix://$work/run/kine.sock" --metrics-bind-address 0 >log 2>&1 &
server=$!
ctl() { "$work/etcdctl" --endpoints "unix://$work/run/kine.sock" "$@"; }
for _ in $(seq 300); do
  if ctl get / >/dev/null 2>&1; then break; fi
  sleep 0.1
done
for i in 1 2 3 4 5 6; do ctl put "/k$i" v >/dev/null; done

keys() { ctl get "$@" --keys-only | grep -c . || true; }
more() { ctl get "$@" -w json | grep -o '"more":true' || true; }
all=$(keys "" --from-key)
first=$(keys "" --from-key --limit 2)
first_more=$(more "" --from-key --limit 2)
behind=$(keys /k2 --from-key)
bounded=$(keys /k2 0)
page=$(keys /k2 0 --limit 2)
echo "kine v0.17.5, from the start on: $all keys; with a limit of 2: $first keys and ${first_more:-no more}"
echo "from /k2 on, without an end: $behind keys; up to \"0\": $bounded keys, with a limit of 2: $page"
if [ "$first" -eq $((all - 1)) ] && [ -n "$first_more" ] && [ "$behind" -eq 0 ] && [ "$bounded" -ge 5 ] && [ "$page" -eq 2 ]; then
  echo "so it is: one page with all keys but the last, and nothing behind it"
else
  echo "kine behaves otherwise now"
  exit 1
fi
