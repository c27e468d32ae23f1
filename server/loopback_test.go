package server

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

func metadataOf(ctx context.Context, pairs ...string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

func unlock(ctx context.Context, conn *grpc.ClientConn) error {
	_, err := v3lockpb.NewLockClient(conn).Unlock(ctx, &v3lockpb.UnlockRequest{Key: []byte("k")})
	return err
}

// The lock service acts with the token of whoever calls it.
func TestLockPassesTokensOn(t *testing.T) {
	r := start(t)
	var token, authorization []string
	r.backend.SetAnswer(func(ctx context.Context, _ any) (any, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		token, authorization = md.Get("token"), md.Get("authorization")
		require.Empty(t, commonName(ctx))
		require.Empty(t, md.Get("else"))
		return nil, nil
	})
	require.NoError(t, unlock(metadataOf(ctxFor(t), "token", "alice.1", "else", "x", commonNameKey, "root"), r.Conn))
	require.Equal(t, []string{"alice.1"}, token)
	require.Empty(t, authorization)
	require.NoError(t, unlock(metadataOf(ctxFor(t), "authorization", "bob.2"), r.Conn))
	require.Empty(t, token)
	require.Equal(t, []string{"bob.2"}, authorization)
}

// Callers with different tokens must not share a watch stream, which has the
// token of whoever opened it.
func TestOnBehalfTellsCallersApart(t *testing.T) {
	of := func(token string) metadata.MD {
		ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs("token", token))
		md, ok := metadata.FromOutgoingContext(onBehalf(ctx))
		require.True(t, ok)
		return md
	}
	require.Equal(t, of("a"), of("a"))
	require.NotEqual(t, of("a"), of("b"))
}
