#!/usr/bin/env bash
# etcd 3.7.3 never answers a RequestProgress that comes before the stream's watch has caught up, as one does that begins at
# an old revision and is asked for its progress at once. If the watched key is quiet, the stream stays silent for good: no
# event, no progress, no error. Asked again a moment later it answers.
#
# The API says of this request that the progress is sent as soon as possible; the server drops what it cannot answer at
# once. (etcd pull request 17557)
#
# It matters to those who ask once and wait, to know that what they have is as new as a read: they wait for ever.
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
	"log"
	"os"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	rounds  = 10
	silence = time.Second // ten times what etcd waits between two rounds of catching up
)

func main() {
	conn, err := grpc.NewClient("unix:localhost:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for range 2 {
		_, err := pb.NewKVClient(conn).Put(ctx, &pb.PutRequest{Key: []byte("busy")})
		check(err)
	}
	now, nowLater := progress(ctx, conn, 0)
	old, oldLater := progress(ctx, conn, 2)
	fmt.Printf("a watch from now on:      %d of %d answered at once, %d more when asked again\n", now, rounds, nowLater)
	fmt.Printf("a watch from revision 2:  %d of %d answered at once, %d more when asked again\n", old, rounds, oldLater)
	// A watch can have caught up by chance before it is asked, so not all need be silent.
	if now != rounds || old > rounds/2 || old+oldLater != rounds {
		fmt.Println("etcd behaves otherwise now")
		os.Exit(1)
	}
	fmt.Println("so it is: asked too early, etcd forgets the question")
}

// progress watches a key that nobody writes, asks at once for the watch's progress, and again after a silence. It returns
// how many of ten such streams answered the first question, and how many only the second one.
func progress(ctx context.Context, conn *grpc.ClientConn, revision int64) (first, second int) {
	for range rounds {
		ctx, cancel := context.WithCancel(ctx)
		stream, err := pb.NewWatchClient(conn).Watch(ctx)
		check(err)
		answers := make(chan struct{}, 2)
		go func() {
			for {
				response, err := stream.Recv()
				if err != nil {
					return
				}
				if !response.Created && len(response.Events) == 0 {
					answers <- struct{}{}
				}
			}
		}()
		check(stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
			CreateRequest: &pb.WatchCreateRequest{Key: []byte("quiet"), StartRevision: revision}}}))
		ask := func() bool {
			check(stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{
				ProgressRequest: &pb.WatchProgressRequest{}}}))
			select {
			case <-answers:
				return true
			case <-time.After(silence):
				return false
			}
		}
		if ask() {
			first++
		} else if ask() {
			second++
		}
		cancel()
	}
	return first, second
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
