package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// asRoot is a client of an endpoint where users count, as root.
func asRoot(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Username: "root", Password: "secret", Logger: zap.NewNop(), DialTimeout: limit})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// anonymous is a client of an endpoint.
func anonymous(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop(), DialTimeout: limit})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// changes runs zkine history and returns what it tells.
func changes(t *testing.T, args ...string) (list []historyRecord) {
	t.Helper()
	var out, notes strings.Builder
	require.Zero(t, execute(append([]string{"history", "-o", "json"}, args...), nil, &out, &notes), notes.String())
	for line := range strings.Lines(out.String()) {
		var r historyRecord
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		list = append(list, r)
	}
	require.Contains(t, notes.String(), fmt.Sprintf("%d changes; the store is at revision ", len(list)))
	return list
}

func TestHistoryTellsWhoAndWhen(t *testing.T) {
	args, root, conn := sharedRoot(t)
	began := time.Now().Add(-time.Millisecond)
	endpoint := startZkine(t, append([]string{"--name=first", "--bcrypt-cost=4", "--log-segment-slots=16", "--checkpoint-log-bytes=1000"}, args...)).ready()
	ctx := within(t)
	c := anonymous(t, endpoint)
	_, err := c.Put(ctx, "/app/a", "12345") // 2
	require.NoError(t, err)
	_, err = c.UserAdd(ctx, "root", "secret")
	require.NoError(t, err)
	_, err = c.UserGrantRole(ctx, "root", "root")
	require.NoError(t, err)
	_, err = c.AuthEnable(ctx)
	require.NoError(t, err)
	asRoot := asRoot(t, endpoint)
	lease, err := asRoot.Grant(ctx, 1000)
	require.NoError(t, err)
	_, err = asRoot.Put(ctx, "/app/a", "1", clientv3.WithLease(lease.ID)) // 3
	require.NoError(t, err)
	_, err = asRoot.Txn(ctx).Then(clientv3.OpDelete("/app/a"), clientv3.OpPut("/app/\xff", "")).Commit() // 4
	require.NoError(t, err)
	_, err = asRoot.Put(ctx, "/app/b", "", clientv3.WithLease(lease.ID)) // 5
	require.NoError(t, err)
	_, err = asRoot.Revoke(ctx, lease.ID) // 6
	require.NoError(t, err)

	list := changes(t, append(args, "--prefix=/app/")...)
	a, b := "/app/a", "/app/b"
	for i, want := range []historyRecord{
		{Revision: 2, Change: "create", Key: &a, Version: 1, Bytes: 5},
		{Revision: 3, User: "root", Change: "put", Key: &a, Version: 2, Bytes: 1, Lease: int64(lease.ID)},
		{Revision: 4, User: "root", Change: "delete", Key: &a, Txn: true},
		{Revision: 4, User: "root", Change: "create", KeyBytes: []byte("/app/\xff"), Version: 1, Txn: true},
		{Revision: 5, User: "root", Change: "create", Key: &b, Version: 1, Lease: int64(lease.ID)},
		{Revision: 6, User: "root", Change: "revoke", Key: &b},
	} {
		at, err := time.Parse(time.RFC3339Nano, list[i].Time)
		require.NoError(t, err)
		require.WithinRange(t, at, began, time.Now())
		require.Regexp(t, `^1/\d+$`, list[i].Place)
		want.Time, want.Place, want.Member, want.Clock = list[i].Time, list[i].Place, "first", "member"
		require.Equal(t, want, list[i])
	}
	require.Len(t, list, 6)
	out, err := zkine(append([]string{"history", a}, args...)...)
	require.NoError(t, err)
	require.NotContains(t, out, "not known who", "the log is there from its first slot on")
	require.Equal(t, list[:3], changes(t, append(args, a)...))

	// Once the log is trimmed, what a checkpoint holds is still told.
	for i := 0; ; i++ {
		_, err := asRoot.Put(ctx, "/other", fmt.Sprint(i))
		require.NoError(t, err)
		if segments, _, err := conn.Children(root + "/log"); err == nil && !strings.HasPrefix(strings.Join(segments, " "), "1-") && !strings.Contains(strings.Join(segments, " "), " 1-") {
			break
		}
	}
	later := changes(t, append(args, "--prefix=/app/")...)
	require.Len(t, later, 6)
	for i, r := range later {
		require.Equal(t, list[i].Revision, r.Revision)
		require.Equal(t, list[i].Key, r.Key)
		require.Empty(t, r.Time)
		require.Empty(t, r.Member)
	}

	out, err = zkine(append([]string{"history", a}, args...)...)
	require.NoError(t, err)
	require.Regexp(t, `^REVISION +TIME +MEMBER .*\n2 +- +- +- +create +1 +5 +- +/app/a\n3 .*\n4 .*\n3 changes; the store is at revision \d+\nbefore revision \d+ it is not known who`, out)
}

func TestHistoryRefusesByName(t *testing.T) {
	args, root, _ := sharedRoot(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, `^KEY: is needed — `},
		{[]string{"a", "b"}, `^b: there is one KEY — `},
		{[]string{"a", "--prefix=b"}, `^--prefix: it contradicts KEY — `},
		{[]string{"a", "--output=yaml"}, `^--output: "yaml" is not known — `},
		{[]string{"a"}, `no zkine data under ` + root + ` `},
	} {
		_, err := zkine(append(append([]string{"history"}, args...), c.args...)...)
		require.Error(t, err)
		require.Regexp(t, c.want, explain(err).Error())
	}
}
