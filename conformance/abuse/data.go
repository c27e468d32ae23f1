package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/conformance/abuse/load"
	"github.com/zkine/zkine/conformance/rig"
)

const (
	// listKeys with values of listSize are the large list; listStep of them make a transaction below the largest request.
	listKeys, listSize, listStep = 3200, 16 << 10, 64
	// eventKeys with values of eventSize are put eventRounds times.
	eventKeys, eventSize, eventRounds = 1000, 256, 100
	// eventStep is as many operations as a transaction may have.
	eventStep = 125
	// password is root's; no load knows it.
	password = "well-behaved"
)

// fill gives a server what a row wants, and returns a revision before all of it.
func fill(ctx context.Context, u *subject, d data) (revision int64, err error) {
	conn, err := rig.Dial(u.client)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	kv := pb.NewKVClient(conn)
	first, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("first")}, grpc.WaitForReady(true))
	if err != nil {
		return 0, err
	}
	random := rand.NewChaCha8([32]byte{})
	puts := func(prefix string, from, count, size int) error {
		txn := &pb.TxnRequest{}
		for i := range count {
			value := make([]byte, size)
			_, _ = random.Read(value) // never fails
			txn.Success = append(txn.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{
				RequestPut: &pb.PutRequest{Key: fmt.Appendf(nil, "%s%06d", prefix, from+i), Value: value},
			}})
		}
		_, err := kv.Txn(ctx, txn)
		return err
	}
	switch d {
	case largeList:
		for from := 0; from < listKeys && err == nil; from += listStep {
			err = puts(load.ListPrefix, from, listStep, listSize)
		}
	case manyEvent:
		for turn := 0; turn < eventKeys*eventRounds && err == nil; turn += eventStep {
			err = puts(load.EventPrefix, turn%eventKeys, eventStep, eventSize)
		}
	}
	return first.Header.Revision, err
}

// enableAuth makes the user root, has the server demand tokens, and returns one.
func enableAuth(ctx context.Context, u *subject) (token string, err error) {
	conn, err := rig.Dial(u.client)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	auth := pb.NewAuthClient(conn)
	if _, err := auth.UserAdd(ctx, &pb.AuthUserAddRequest{Name: load.User, Password: password}, grpc.WaitForReady(true)); err != nil {
		return "", err
	}
	if _, err := auth.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: load.User, Role: "root"}); err != nil {
		return "", err
	}
	if _, err := auth.AuthEnable(ctx, &pb.AuthEnableRequest{}); err != nil {
		return "", err
	}
	response, err := auth.Authenticate(ctx, &pb.AuthenticateRequest{Name: load.User, Password: password})
	if err != nil {
		return "", err
	}
	return response.Token, nil
}
