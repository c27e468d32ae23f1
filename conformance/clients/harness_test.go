package clients

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/zkine/zkine/conformance/reference"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = 2 * time.Minute

var slowFlag = flag.Bool("slow", false, "also run what takes minutes")

func TestMain(m *testing.M) {
	// CoreDNS has no other way to keep etcd's client from logging each retry.
	if err := os.Setenv("ETCD_CLIENT_DEBUG", "fatal"); err != nil {
		panic(err)
	}
	zktest.Main(m)
}

// slow leaves a test out of the runs that belong to every change.
func slow(t *testing.T) {
	t.Helper()
	if !*slowFlag {
		t.Skip("takes a minute or more; make clients runs it")
	}
}

// newZkine starts a zkine whose name is that of the etcds here.
func newZkine(t *testing.T) *rigtest.Zkine {
	t.Helper()
	return rigtest.Start(t, "--name=default", "--bcrypt-cost=4", patient) // with the race detector, more takes seconds
}

// patient keeps a zkine from losing its session on a machine that is busy.
const patient = "--zookeeper-session-timeout=20s"

// onBoth makes a check of a zkine and of an etcd: it holds for both, or one of them is not understood.
func onBoth(t *testing.T, check func(t *testing.T, endpoint string)) {
	t.Helper()
	t.Parallel()
	t.Run("zkine", func(t *testing.T) {
		t.Parallel()
		check(t, newZkine(t).Endpoint)
	})
	t.Run("etcd", func(t *testing.T) {
		t.Parallel()
		check(t, reference.Start(t))
	})
}

func connect(t *testing.T, endpoints ...string) *clientv3.Client {
	t.Helper()
	return connectAs(t, "", "", endpoints...)
}

func connectAs(t *testing.T, user, password string, endpoints ...string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, Username: user, Password: password, Logger: zap.NewNop(), DialTimeout: patience,
	})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for a condition that nothing announces.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(end), what)
	}
}

func put(t *testing.T, kv clientv3.KV, key, value string, options ...clientv3.OpOption) {
	t.Helper()
	_, err := kv.Put(within(t), key, value, options...)
	require.NoError(t, err)
}

// get is what a range holds, as "key=value" words in its order.
func get(t *testing.T, kv clientv3.KV, key string, options ...clientv3.OpOption) string {
	t.Helper()
	resp, err := kv.Get(within(t), key, options...)
	require.NoError(t, err)
	var words []string
	for _, kv := range resp.Kvs {
		words = append(words, string(kv.Key)+"="+string(kv.Value))
	}
	return strings.Join(words, " ")
}

// count is how many keys have a prefix.
func count(t *testing.T, kv clientv3.KV, prefix string) int64 {
	t.Helper()
	resp, err := kv.Get(within(t), prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	require.NoError(t, err)
	return resp.Count
}
