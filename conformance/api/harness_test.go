package api

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/conformance/reference"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = time.Minute

func TestMain(m *testing.M) { zktest.Main(m) }

// onBoth runs a check on a zkine and on an etcd: it holds for both, or one of them is not understood.
func onBoth(t *testing.T, check func(t *testing.T, endpoint string)) {
	t.Helper()
	t.Run("zkine", func(t *testing.T) { check(t, rigtest.Start(t).Endpoint) })
	t.Run("etcd", func(t *testing.T) { check(t, reference.Start(t)) })
}

// client connects with clientv3.
func client(t *testing.T, endpoints ...string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop(), DialTimeout: patience})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// dial connects with plain gRPC, which neither retries nor checks.
func dial(t *testing.T, endpoint string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// requireError checks an error as it came over the wire, word for word.
func requireError(t *testing.T, code codes.Code, message string, err error) {
	t.Helper()
	require.Equal(t, fmt.Sprintf("%v: %s", code, message), fmt.Sprintf("%v: %s", status.Code(err), status.Convert(err).Message()))
}

// eventually waits for a condition that nothing announces.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 10*time.Millisecond, what)
}

// incompressible returns n bytes that no codec makes smaller, always the same.
func incompressible(n int) []byte {
	source := rand.NewChaCha8([32]byte{})
	value := make([]byte, n)
	_, _ = source.Read(value) // never fails
	return value
}

func putRequest(key, value string) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: []byte(value)}
}

// newRand returns a source of choices, and prints the seed that repeats them.
func newRand(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
