#!/usr/bin/env bash
# etcd 3.7.3: RangeStream with a sort target and no order tells some keys twice and others never, as soon as the range has
# more keys than the first chunk (ten). A Range with the same request is right.
#
# RangeStream refuses orders, but takes a target without one for no sorting at all. Then it sorts each chunk by itself,
# and goes on after the key that came last in it, which is not the greatest one of the chunk any more.
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
mkdir "$work/client"
cd "$work/client"
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"sort"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	conn, err := grpc.NewClient("unix:localhost:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	kv, ctx := pb.NewKVClient(conn), context.Background()
	var put []string
	for i := range 12 { // a=z, b=y, c=x, ...: the values fall as the keys rise
		key := string(rune('a' + i))
		_, err := kv.Put(ctx, &pb.PutRequest{Key: []byte(key), Value: []byte{byte('z' - i)}})
		check(err)
		put = append(put, key)
	}
	request := &pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte{0}, SortTarget: pb.RangeRequest_VALUE}
	whole, err := kv.Range(ctx, request)
	check(err)
	var ranged, streamed []string
	for _, kv := range whole.Kvs {
		ranged = append(ranged, string(kv.Key))
	}
	stream, err := kv.RangeStream(ctx, request)
	check(err)
	for {
		chunk, err := stream.Recv()
		if err == io.EOF {
			break
		}
		check(err)
		for _, kv := range chunk.RangeResponse.Kvs {
			streamed = append(streamed, string(kv.Key))
		}
	}
	fmt.Println("keys put:                    ", strings.Join(put, " "))
	fmt.Println("Range, sorted by VALUE:      ", strings.Join(ranged, " "))
	fmt.Println("RangeStream, sorted by VALUE:", strings.Join(streamed, " "))
	sort.Strings(ranged)
	sort.Strings(streamed)
	if fmt.Sprint(ranged) != fmt.Sprint(put) || fmt.Sprint(streamed) == fmt.Sprint(put) {
		fmt.Println("etcd behaves otherwise now")
		os.Exit(1)
	}
	fmt.Println("so it is: the stream has keys twice, or not at all")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
GO
go mod init finding >/dev/null 2>&1
go get go.etcd.io/etcd/api/v3@v3.7.3 google.golang.org/grpc@v1.85.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go build -o "$work/client/client" .
"$work/etcd-v3.7.3" --version | sed -n 1p
serve v3.7.3
"$work/client/client"
