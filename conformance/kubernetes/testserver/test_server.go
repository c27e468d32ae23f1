package testserver

import (
	"net/url"
	"os"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	storagetesting "k8s.io/apiserver/pkg/storage/testing"
)

const (
	// zookeeperVariable names the ZooKeeper, host:port.
	zookeeperVariable = "ZKINE_KUBE_STORAGE_ZOOKEEPER"
	// marker begins the line that tells package run that a test has a zkine. It looks for these words.
	marker = "zkine serves this test"

	clientDialTimeout = 10 * time.Second
)

// NewTestConfig returns etcd's default configuration with one free loopback port for clients.
func NewTestConfig(t testing.TB) *embed.Config {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.ListenClientUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	return cfg
}

// RunEtcd starts a zkine on an empty root and returns a client of it whose reads are recorded, as the tests expect.
// Of cfg, NewTestConfig's when nil, it honours what has a meaning for zkine: ListenClientUrls, the files in
// ClientTLSInfo, MaxRequestBytes, MaxTxnOps, WatchProgressNotifyInterval and QuotaBackendBytes. The zkine ends with the
// test, which fails if the zkine failed first.
func RunEtcd(t testing.TB, cfg *embed.Config) *kubernetes.Client {
	t.Helper()
	zookeeper := os.Getenv(zookeeperVariable)
	if zookeeper == "" {
		t.Fatalf("$%s names no ZooKeeper; these tests are started by go run ./run", zookeeperVariable)
	}
	if cfg == nil {
		cfg = NewTestConfig(t)
	}
	root := newRoot()
	url := start(t, zookeeper, root, cfg)
	t.Logf("%s, on root %s at %s", marker, root, url)

	tls, err := cfg.ClientTLSInfo.ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.New(clientv3.Config{
		TLS:         tls,
		Endpoints:   []string{url},
		DialTimeout: clientDialTimeout,
		Logger:      zaptest.NewLogger(t, zaptest.Level(zapcore.ErrorLevel)).Named("etcd-client"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return recorded(client)
}

// recorded has a client count its reads, whether they are asked for by etcd's words or by Kubernetes'.
func recorded(client *kubernetes.Client) *kubernetes.Client {
	lists := storagetesting.NewKubernetesRecorder(client.Kubernetes)
	client.KV = storagetesting.NewKVRecorder(client.KV, lists)
	client.Kubernetes = lists
	return client
}
