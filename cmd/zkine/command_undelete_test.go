package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/backend/undelete"
)

// TestUndelete deletes keys and has them back: from an archive, from the root and from
// the endpoint; what else has happened since stays.
func TestUndelete(t *testing.T) {
	p := makePast(t)
	endpoint := startZkine(t, append([]string{"--name=second"}, p.args...)).ready()
	c, ctx := anonymous(t, endpoint), within(t)
	then, err := c.Get(ctx, "/ns/", clientv3.WithPrefix(), clientv3.WithRev(p.revision))
	require.NoError(t, err)
	require.Len(t, then.Kvs, 11)
	run := func(flags ...string) string {
		t.Helper()
		out, err := zkine(append([]string{"undelete", "--prefix=/ns/", "--endpoints=" + endpoint}, flags...)...)
		require.NoError(t, err, out)
		return out
	}
	at := func() *clientv3.GetResponse {
		resp, err := c.Get(ctx, "/ns/", clientv3.WithPrefix())
		require.NoError(t, err)
		return resp
	}

	before := at()
	out := run(p.archive, "--at="+p.time(), "--dry-run")
	require.Equal(t, before.Header.Revision, at().Header.Revision, "a dry run writes nothing")
	require.Contains(t, out, fmt.Sprintf("as they were at revision %d\n", p.revision))
	require.Regexp(t, `(?m)^differs +\d+ +- +4 +- +/ns/0$`, out)
	require.Regexp(t, fmt.Sprintf(`(?m)^missing +%d +- +1 +%x +/ns/leased$`, p.revision, int64(p.lease)), out)
	require.Contains(t, out, "10 were missing, 1 had another value, 0 were the same; 0 that are new were left alone\n10 would be written back, nothing was: --dry-run; --overwrite")

	_, err = c.Put(ctx, "/ns/new", "n")
	require.NoError(t, err)
	out = run(p.archive, "--at="+p.time())
	require.Contains(t, out, "10 were missing, 1 had another value, 0 were the same; 1 that are new were left alone\n10 were written back,")
	require.Contains(t, out, "1 of them had a lease, and have none now")
	now := at()
	require.Len(t, now.Kvs, 12)
	for i, kv := range then.Kvs {
		got := now.Kvs[i]
		require.Equal(t, string(kv.Key), string(got.Key))
		require.Zero(t, got.Lease)
		if string(kv.Key) == "/ns/0" {
			require.Equal(t, "new", string(got.Value), "what is there stays")
			continue
		}
		require.Equal(t, kv.Value, got.Value)
		require.Greater(t, got.ModRevision, before.Header.Revision)
		require.EqualValues(t, 1, got.Version)
	}

	out = run("--revision="+fmt.Sprint(p.revision), "--overwrite")
	require.Contains(t, out, "0 were missing, 1 had another value, 10 were the same; 1 that are new were left alone\n1 were written back,")
	require.Equal(t, then.Kvs[0].Value, at().Kvs[0].Value)

	_, err = c.Delete(ctx, "/ns/", clientv3.WithPrefix())
	require.NoError(t, err)
	last := at().Header.Revision - 1
	out = run(append(p.args, "--revision="+fmt.Sprint(last))...)
	require.Contains(t, out, "12 were written back,")
	require.Len(t, at().Kvs, 12)

	_, err = c.Revoke(ctx, p.lease)
	require.NoError(t, err)
	_, err = c.Delete(ctx, "/ns/leased")
	require.NoError(t, err)
	run(p.archive, "--at="+p.time(), "--leases")
	got, err := c.Get(ctx, "/ns/leased")
	require.NoError(t, err)
	require.EqualValues(t, p.lease, got.Kvs[0].Lease)
	left, err := c.TimeToLive(ctx, p.lease)
	require.NoError(t, err)
	require.InDelta(t, 1000, left.TTL, 60)
}

// TestUndeleteLeavesWhatIsChangedMeanwhile has a look at the keys that is out of date.
func TestUndeleteLeavesWhatIsChangedMeanwhile(t *testing.T) {
	args, _, _ := sharedRoot(t)
	c, ctx := anonymous(t, startZkine(t, args).ready()), within(t)
	keys := func(kvs ...*mvccpb.KeyValue) undelete.Keys {
		return func(yield func(*mvccpb.KeyValue, error) bool) {
			for _, kv := range kvs {
				if !yield(kv, nil) {
					return
				}
			}
		}
	}
	old := []*mvccpb.KeyValue{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("b"), Value: []byte("1")}, {Key: []byte("c"), Value: []byte("1"), Lease: 77}}
	for key, value := range map[string]string{"a": "2", "b": "1"} {
		_, err := c.Put(ctx, key, value) // since the look
		require.NoError(t, err)
	}
	items := map[string]undelete.Item{}
	sum, err := undelete.Run(ctx, &undelete.Config{Client: c, Then: keys(old...), Now: keys(), Overwrite: true, Leases: true,
		Tell: func(i *undelete.Item) { items[i.Key] = *i }})
	require.NoError(t, err)
	require.True(t, items["a"].Raced)
	require.Positive(t, items["b"].Written, "it has that value already")
	require.True(t, items["c"].Leaseless, "it is not known how long the lease was")
	require.Equal(t, undelete.Summary{Missing: 3, Written: 2, Raced: 1, Bytes: 2, Leased: 1, Leaseless: 1}, sum)
	resp, err := c.Get(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, "2", string(resp.Kvs[0].Value))
}

// TestHistoryOfAnArchive tells what the root has trimmed.
func TestHistoryOfAnArchive(t *testing.T) {
	p := makePast(t)
	list := changes(t, p.archive, "--prefix=/ns/")
	require.Len(t, list, 60+1+11+1)
	for _, r := range list {
		require.Equal(t, "first", r.Member)
		require.NotEmpty(t, r.Time)
	}
	require.EqualValues(t, 2, list[0].Revision)
	require.Equal(t, p.newest, list[len(list)-1].Revision)
	since := changes(t, p.archive, "--prefix=/ns/", "--since="+p.time())
	require.Equal(t, list[61:], since)
	_, err := zkine("history", p.archive, "/ns/0", "--zookeeper=x:1")
	require.ErrorContains(t, err, "--archive: a root is named, too")
}

func TestUndeleteRefusesByName(t *testing.T) {
	p := makePast(t)
	endpoint := "--endpoints=" + startZkine(t, append([]string{"--name=second"}, p.args...)).ready()
	for _, c := range []struct {
		args string
		want string
	}{
		{"--revision=1", `^--prefix: is needed — `},
		{"--prefix=/ns/", `^--at: a time or a revision is needed`},
		{"--prefix=/ns/ --revision=3 --at=2026-11-28T12:03:00Z", `^--at: a time or a revision is needed, and one alone`},
		{"--prefix=/ns/ --at=2026-11-28T12:03:00Z", `^--at: an endpoint knows revisions, and no times — .*zkine history`},
		{"--prefix=/ns/ --at=noon " + p.archive, `^--at: "noon" is not a time`},
		{"--prefix=/ns/ --at=2001-01-01T00:00:00Z " + p.archive, `it begins later: .* — choose a later time or revision$`},
		{"--prefix=/ns/ --at=2099-01-01T00:00:00Z " + p.archive, `^--at: 2099-01-01T00:00:00Z is yet to come — `},
		{"--prefix=/ns/ --revision=1000000", `: the store has no such revision yet — find the revision with zkine history$`},
	} {
		out, err := zkine(append(strings.Fields("undelete "+c.args), endpoint)...)
		require.Error(t, err, c.args)
		require.NotContains(t, out, "were missing")
		require.Regexp(t, regexp.MustCompile(c.want), explain(err).Error())
	}
	_, err := zkine("undelete", "--prefix=/ns/", "--revision=3", "--endpoints=http://127.0.0.1:1", "--dial-timeout=300ms")
	require.Error(t, err)
	require.Contains(t, explain(err).Error(), "connection refused — check --endpoints")
}
