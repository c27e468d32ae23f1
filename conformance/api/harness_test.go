package api

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
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

	"github.com/zkine/zkine/conformance/api/process"
	"github.com/zkine/zkine/conformance/api/reference"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zktest"
)

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = time.Minute

func TestMain(m *testing.M) { zktest.Main(m) }

var (
	buildZkine   = sync.OnceValues(func() (string, error) { return process.Zkine(context.Background(), true) })
	buildEtcdctl = sync.OnceValues(func() (string, error) { return process.Etcdctl(context.Background(), true) })
)

// zkine is a zkine of a test, which may be killed and started again, on the same ports and root.
type zkine struct {
	t        *testing.T
	args     []string
	endpoint string // host:port
	process  *process.Process
}

// startZkine starts a zkine on a root of a ZooKeeper and waits until it serves. It is stopped when the test ends.
func startZkine(t *testing.T, zookeeper, root string, args ...string) *zkine {
	t.Helper()
	port, err := embedded.FreePort()
	require.NoError(t, err)
	z := &zkine{t: t, endpoint: fmt.Sprintf("127.0.0.1:%d", port)}
	z.args = append([]string{
		"server", "--zookeeper=" + zookeeper, "--zookeeper-root=" + root, "--zookeeper-session-timeout=2s",
		"--name=" + fmt.Sprint("z", port),
		"--listen-client-urls=http://" + z.endpoint, "--listen-metrics-urls=http://127.0.0.1:0",
	}, args...)
	z.start()
	t.Cleanup(z.end)
	return z
}

// newZkine starts a zkine on a new root of the shared ZooKeeper.
func newZkine(t *testing.T, args ...string) *zkine {
	t.Helper()
	return startZkine(t, zktest.Shared(t).Addr(), zktest.Root(t), args...)
}

// start starts the zkine, again if it has ended, and waits until it serves.
func (z *zkine) start() {
	z.t.Helper()
	bin, err := buildZkine()
	require.NoError(z.t, err)
	z.process, err = process.Start(bin, z.args)
	require.NoError(z.t, err)
	_, err = z.process.Await(within(z.t), `zkine is ready: etcdctl --endpoints=http://`+z.endpoint)
	require.NoError(z.t, err)
}

// kill ends the zkine as a power cut would.
func (z *zkine) kill() {
	z.process.Kill()
	z.checkOutput()
}

// end stops the zkine, whose exit code must be that of a clean end.
func (z *zkine) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	code, err := z.process.Stop(ctx)
	if err != nil {
		z.process.Kill()
	}
	z.checkOutput()
	if err != nil || code > 0 { // -1: a test had killed it
		z.t.Errorf("zkine ended with %d, %v", code, err)
	}
	if z.t.Failed() {
		z.t.Logf("zkine at %s printed:\n%s", z.endpoint, z.process.Output())
	}
}

func (z *zkine) checkOutput() {
	for _, bad := range []string{"DATA RACE", "panic:"} {
		if out := z.process.Output(); strings.Contains(out, bad) {
			z.t.Errorf("zkine printed:\n%s", out)
		}
	}
}

// probe asks a metrics URL and returns the status code.
func (z *zkine) probe(path string) int {
	z.t.Helper()
	match, err := z.process.Await(within(z.t), `serving metrics and health.*address="?([^" \n]+)"?`)
	require.NoError(z.t, err)
	response, err := http.Get("http://" + match[1] + path)
	require.NoError(z.t, err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(z.t, err)
	return response.StatusCode
}

// onBoth runs a check on a zkine and on an etcd: it holds for both, or one of them is not understood.
func onBoth(t *testing.T, check func(t *testing.T, endpoint string)) {
	t.Helper()
	t.Run("zkine", func(t *testing.T) { check(t, newZkine(t).endpoint) })
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
