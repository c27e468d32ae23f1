package clients

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/mirror"
)

// A syncer copies what is there, page by page at one revision, and then what changes, while others write.
func TestMirror(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		for i := range 12 {
			var puts []clientv3.Op
			for n := range 100 { // a page is 1,000 keys
				puts = append(puts, clientv3.OpPut(fmt.Sprint("m/", i, "/", n), "base"))
			}
			_, err := c.Txn(within(t)).Then(puts...).Commit()
			require.NoError(t, err)
		}
		syncer := mirror.NewSyncer(c, "m/", 0)
		pages, failed := syncer.SyncBase(within(t))
		put(t, c, "m/new", "new")
		_, err := c.Delete(within(t), "m/3/", clientv3.WithPrefix())
		require.NoError(t, err)

		copied, n := map[string]string{}, 0
		for page := range pages {
			n++
			for _, kv := range page.Kvs {
				copied[string(kv.Key)] = string(kv.Value)
			}
		}
		require.NoError(t, <-failed)
		require.Equal(t, 2, n)
		require.Len(t, copied, 1200, "nothing that came later")

		put(t, c, "m/~", "the end")
		for events := syncer.SyncUpdates(within(t)); copied["m/~"] == ""; {
			resp := <-events
			require.NoError(t, resp.Err())
			for _, e := range resp.Events {
				if e.Type == mvccpb.Event_DELETE {
					delete(copied, string(e.Kv.Key))
				} else {
					copied[string(e.Kv.Key)] = string(e.Kv.Value)
				}
			}
		}
		all, err := c.Get(within(t), "m/", clientv3.WithPrefix())
		require.NoError(t, err)
		want := map[string]string{}
		for _, kv := range all.Kvs {
			want[string(kv.Key)] = string(kv.Value)
		}
		require.True(t, maps.Equal(want, copied))
		require.Len(t, copied, 1200-100+2)
	})
}
