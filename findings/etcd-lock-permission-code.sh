#!/usr/bin/env bash
# etcd 3.7.3: the lock and the election service answer a caller who lacks the permission with the code Unknown. A Put of
# the same key with the same token gets PermissionDenied, with the same reason in its text.
#
# It matters to those who tell by the code whether to try again: Unknown does not say that it is no use.
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

ctl() { "$work/etcdctl-v3.7.3" --endpoints unix://localhost:1 "$@"; }

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
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func main() {
	conn, err := grpc.NewClient("unix:localhost:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	login, err := pb.NewAuthClient(conn).Authenticate(ctx, &pb.AuthenticateRequest{Name: "guest", Password: "guest"})
	check(err)
	ctx = metadata.AppendToOutgoingContext(ctx, "token", login.Token)
	lease, err := pb.NewLeaseClient(conn).LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 60})
	check(err)

	_, put := pb.NewKVClient(conn).Put(ctx, &pb.PutRequest{Key: []byte("door/1")})
	_, lock := v3lockpb.NewLockClient(conn).Lock(ctx, &v3lockpb.LockRequest{Name: []byte("door"), Lease: lease.ID})
	_, campaign := v3electionpb.NewElectionClient(conn).Campaign(ctx,
		&v3electionpb.CampaignRequest{Name: []byte("door"), Lease: lease.ID})
	fmt.Println("Put:     ", put)
	fmt.Println("Lock:    ", lock)
	fmt.Println("Campaign:", campaign)
	if status.Code(put) != codes.PermissionDenied || status.Code(lock) != codes.Unknown ||
		status.Code(campaign) != codes.Unknown {
		fmt.Println("etcd behaves otherwise now")
		os.Exit(1)
	}
	fmt.Println("so it is: PermissionDenied for the Put, Unknown for the lock and the election")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
GO
go mod init finding >/dev/null 2>&1
go get go.etcd.io/etcd/api/v3@v3.7.3 go.etcd.io/etcd/server/v3@v3.7.3 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go build -o "$work/client/client" .
"$work/etcd-v3.7.3" --version | sed -n 1p
serve v3.7.3
ctl user add root:root >/dev/null
ctl user grant-role root root >/dev/null
ctl user add guest:guest >/dev/null
ctl auth enable >/dev/null
"$work/client/client"
