#!/usr/bin/env bash
# etcd 3.7.3: what a page of a range costs the server goes by the keys behind the page, not by those in it. A Range with a
# limit also counts all keys up to its end for `count`, by walking the index, and no option takes that away. Of a hundred
# thousand keys the first page takes many times as much processor time as the last one of the same size; and to read all
# by pages takes many times as much as one Range or one RangeStream: the work grows with the square of the keys.
# (etcd issue 11057)
#
# It matters since pages are what one takes to spare a server.
#
# Needs Linux (/proc), bash, go and access to Go modules; everything else goes into a temporary folder.
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


echo "building (some minutes the first time) ..."
build v3.7.3 go.etcd.io/etcd/server/v3 etcd
build v3.7.3 go.etcd.io/etcd/etcdctl/v3 etcdctl
mkdir "$work/client"
cd "$work/client"
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	keys    = 100_000
	page    = 100
	repeats = 200
	times   = 5 // at least so many times as much; measured: some thirty
)

var ctx = context.Background()

func main() {
	conn, err := grpc.NewClient("unix:localhost:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	kv := pb.NewKVClient(conn)
	for i := 0; i < keys; {
		txn := &pb.TxnRequest{}
		for range 100 {
			txn.Success = append(txn.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{
				RequestPut: &pb.PutRequest{Key: key(i), Value: []byte("v")}}})
			i++
		}
		_, err := kv.Txn(ctx, txn)
		check(err)
	}

	readPage := func(start []byte, limit int64) *pb.RangeResponse {
		response, err := kv.Range(ctx, &pb.RangeRequest{Key: start, RangeEnd: []byte("l"), Limit: limit})
		check(err)
		return response
	}
	first := cost(func() {
		for range repeats {
			readPage(key(0), page)
		}
	})
	last := cost(func() {
		for range repeats {
			readPage(key(keys-page), page)
		}
	})
	fmt.Printf("%d times the first page of %d: %d ticks of etcd's processor time; the last page: %d\n",
		repeats, page, first, last)

	var paged, whole, streamed int
	pages := cost(func() {
		for start, more := key(0), true; more; {
			response := readPage(start, page)
			paged += len(response.Kvs)
			more = response.More
			start = append(response.Kvs[len(response.Kvs)-1].Key, 0)
		}
	})
	one := cost(func() { whole = len(readPage(key(0), 0).Kvs) })
	stream := cost(func() {
		chunks, err := kv.RangeStream(ctx, &pb.RangeRequest{Key: key(0), RangeEnd: []byte("l")})
		check(err)
		for {
			chunk, err := chunks.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			check(err)
			streamed += len(chunk.RangeResponse.Kvs)
		}
	})
	fmt.Printf("all by pages: %d keys, %d ticks; by one Range: %d keys, %d ticks; by one RangeStream: %d keys, %d ticks\n",
		paged, pages, whole, one, streamed, stream)
	if paged != keys || whole != keys || streamed != keys {
		log.Fatal("not all keys were read")
	}
	if first < times*last || pages < times*one || pages < times*stream {
		fmt.Println("etcd behaves otherwise now")
		os.Exit(1)
	}
	fmt.Println("so it is: a page costs what is behind it")
}

func key(i int) []byte { return fmt.Appendf(nil, "k%06d", i) }

// cost returns the ticks (hundredths of a second) that etcd's process has computed during f, at least one.
func cost(f func()) int {
	before := ticks()
	f()
	return max(1, ticks()-before)
}

// ticks reads utime and stime, the twelfth and thirteenth field behind the name in brackets.
func ticks() (sum int) {
	stat, err := os.ReadFile("/proc/" + os.Args[1] + "/stat")
	check(err)
	fields := strings.Fields(string(stat[strings.LastIndex(string(stat), ")")+1:]))
	for _, field := range fields[11:13] {
		var n int
		_, err := fmt.Sscan(field, &n)
		check(err)
		sum += n
	}
	return sum
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
"$work/client/client" "$server"
