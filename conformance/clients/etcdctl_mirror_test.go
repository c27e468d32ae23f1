package clients

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/conformance/reference"
)

// TestEtcdctlMakeMirror copies a zkine to an etcd and an etcd to a zkine: what was there, over more than one page, and
// what changes.
func TestEtcdctlMakeMirror(t *testing.T) {
	t.Parallel()
	zkine, etcd := newZkine(t).Endpoint, reference.Start(t)
	for name, c := range map[string]struct{ from, to string }{"zkine to etcd": {zkine, etcd}, "etcd to zkine": {etcd, zkine}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := connect(t, c.from), connect(t, c.to)
			for i := range 11 {
				var puts []clientv3.Op
				for n := range 100 { // a page of a mirror is 1,000 keys
					puts = append(puts, clientv3.OpPut(fmt.Sprintf("src/%04d", 100*i+n), fmt.Sprint(i)))
				}
				_, err := from.Txn(within(t)).Then(puts...).Commit()
				require.NoError(t, err)
			}
			put(t, from, "not mirrored", "x")
			resp, err := from.Get(within(t), "src/0000")
			require.NoError(t, err)
			base := resp.Header.Revision

			mirror := startEtcdctl(t, c.from, "make-mirror", "--prefix=src/", "--dest-prefix=dst/", c.to)
			eventually(t, "the base is not mirrored", func() bool { return count(t, to, "dst/") == 1100 })
			change(t, from)
			put(t, from, "src/~", "the end")
			mirrored := func(prefix string) bool { return get(t, to, prefix+"~") == prefix+"~=the end" }
			eventually(t, "changes are not mirrored", func() bool { return mirrored("dst/") })
			requireMirrored(t, from, to, "dst/")
			mirror.crash()

			// Once more, from a revision on, to another place.
			late := startEtcdctl(t, c.from, "make-mirror", "--prefix=src/", "--dest-prefix=late/", fmt.Sprint("--rev=", base+1), c.to)
			eventually(t, "changes are not mirrored", func() bool { return mirrored("late/") })
			require.Equal(t, "late/a=1 late/b=1 late/c=2 late/~=the end", get(t, to, "late/", clientv3.WithPrefix()))
			late.crash()
		})
	}
}

// change puts, deletes and does both in one revision.
func change(t *testing.T, kv clientv3.KV) {
	t.Helper()
	put(t, kv, "src/a", "1")
	_, err := kv.Delete(within(t), "src/00", clientv3.WithPrefix())
	require.NoError(t, err)
	_, err = kv.Txn(within(t)).Then(clientv3.OpPut("src/b", "1"), clientv3.OpDelete("src/1000"), clientv3.OpPut("src/c", "2")).Commit()
	require.NoError(t, err)
}

func requireMirrored(t *testing.T, from, to clientv3.KV, prefix string) {
	t.Helper()
	want := get(t, from, "src/", clientv3.WithPrefix())
	require.Equal(t, 1100-100-1+4, strings.Count(want, "="))
	require.Equal(t, strings.ReplaceAll(want, "src/", prefix), get(t, to, prefix, clientv3.WithPrefix()))
}
