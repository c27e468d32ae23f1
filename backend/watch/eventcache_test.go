package watch

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// Events that were kept are those that would be made, whatever was asked for
// before and wherever the floor is.
func TestEventCache(t *testing.T) {
	m := state.New()
	for i := range 3 * cachedRevisions {
		r := &recordpb.Request{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: fmt.Appendf(nil, "k%d", i%7), Value: fmt.Append(nil, i)}}}
		switch {
		case i%5 == 4:
			r = &recordpb.Request{Kind: &recordpb.Request_DeleteRange{DeleteRange: &pb.DeleteRangeRequest{Key: []byte("k"), RangeEnd: []byte("l")}}}
		case i == 100:
			r.GetPut().Value = []byte(strings.Repeat("x", cachedBytes+1))
		}
		m.Apply(revision.Slot{Seq: revision.Seq{Segment: 1, Slot: int64(i)}, Nonce: revision.DrawNonce(rand.Reader), Requests: []*recordpb.Request{r}})
	}
	v := m.View()
	var cache eventCache
	for _, floor := range []revision.Rev{-1, 300, 301} {
		for range 2 { // made, and kept
			for rev := revision.Rev(2); rev <= v.Rev(); rev++ {
				change, _ := v.Change(rev)
				for _, prevKV := range []bool{false, true} {
					events, ok := cache.of(change, prevKV, floor)
					require.True(t, ok)
					require.Len(t, events, len(change.Events))
					for i, e := range change.Events {
						require.True(t, proto.Equal(e.Proto(prevKV, floor), events[i]), "revision %d, floor %d, %v", rev, floor, prevKV)
					}
				}
			}
		}
	}
	newest, _ := v.Change(v.Rev())
	a, _ := cache.of(newest, true, 301)
	b, _ := cache.of(newest, true, 301)
	require.Same(t, a[0], b[0], "made once")

	_, ok := cache.of(state.Change{Rev: 5, Events: make([]state.Event, cachedEventsMax+1)}, false, -1)
	require.False(t, ok)
}
