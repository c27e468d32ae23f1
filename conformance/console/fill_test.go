package console

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/conformance/rig"
)

// password is in the data of the Secret among the samples of server/console/kube/testdata.
const password = "correct-horse-battery-staple"

// client is one of the store, which calls itself what it likes.
func (s *served) client(agent string) *clientv3.Client {
	s.t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://" + s.Endpoint}, Logger: zap.NewNop(), DialOptions: []grpc.DialOption{grpc.WithUserAgent(agent)}})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { c.Close() })
	return c
}

func (s *served) put(c *clientv3.Client, key, value string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := c.Put(ctx, key, value)
	require.NoError(s.t, err)
}

// sample is an object as a kube-apiserver stores it.
func (s *served) sample(name string) string {
	s.t.Helper()
	root, err := rig.Checkout()
	require.NoError(s.t, err)
	value, err := os.ReadFile(filepath.Join(root, "server/console/kube/testdata", name+".pb"))
	require.NoError(s.t, err)
	return string(value)
}

// fillCluster puts what a small cluster of Kubernetes has.
func (s *served) fillCluster() {
	s.t.Helper()
	c := s.client("kube-apiserver/v1.37.2")
	for i := range 30 {
		s.put(c, fmt.Sprintf("/registry/pods/shop/web-%d", i), s.sample("pod"))
		s.put(c, fmt.Sprintf("/registry/leases/kube-node-lease/node-%d", i), s.sample("lease"))
	}
	s.put(c, "/registry/secrets/shop/db", s.sample("secret"))
	s.put(c, "/registry/configmaps/shop/web", s.sample("configmap"))
	for i := range 4 {
		s.put(c, "/registry/stable.example.com/crontabs/shop/nightly", fmt.Sprintf(`{"apiVersion":"stable.example.com/v1","kind":"CronTab","metadata":{"name":"nightly","namespace":"shop","generation":%d},"spec":{"cronSpec":"%d 3 * * *","image":"registry.example/backup:1.%d","replicas":%d}}`, i+1, i*5, i, 1+i/2))
	}
	s.put(c, "/registry/deployments/shop/web", s.sample("deployment"))
	s.put(c, "/plain/text", "hello\nworld\n")
	s.put(c, "/plain/binary\x00\xff", "\x00\x01\x02\xfe\xffzkine")
}

// fillMany puts n keys into one folder.
func (s *served) fillMany(folder string, n int) {
	s.t.Helper()
	c := s.client("filler")
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	defer cancel()
	for i := 0; i < n; {
		var ops []clientv3.Op
		for ; i < n && len(ops) < 125; i++ {
			ops = append(ops, clientv3.OpPut(fmt.Sprintf("%skey-%06d", folder, i), "x"))
		}
		_, err := c.Txn(ctx).Then(ops...).Commit()
		require.NoError(s.t, err)
	}
}
