package housekeep

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// store is a machine at any revision one likes.
type store struct {
	m    *state.Machine
	slot int64
}

func (s *store) at(rev revision.Rev) *state.View {
	for s.m.View().Rev() < rev {
		s.apply(&recordpb.Request{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte(fmt.Sprint(s.slot % 5))}}})
	}
	return s.m.View()
}

func (s *store) apply(r *recordpb.Request) {
	s.m.Apply(revision.Slot{Seq: revision.Seq{Segment: 1, Slot: s.slot}, Nonce: revision.DrawNonce(rand.Reader), Requests: []*recordpb.Request{r}})
	s.slot++
}

func TestPeriodicCompaction(t *testing.T) {
	s := &store{m: state.New()}
	c := compactor{cfg: AutoCompaction{Mode: CompactPeriodic, Period: 10 * time.Minute}}
	now := time.Now()
	// A write each second; the keeper loop looks as often.
	for second := range 3600 {
		v := s.at(revision.Rev(second + 2))
		rev, due := c.due(now.Add(time.Duration(second)*time.Second), v)
		if !due {
			continue
		}
		require.GreaterOrEqual(t, second, 600, "not before a period has passed")
		require.LessOrEqual(t, int(rev), second-600+2, "ten minutes of history stay")
		require.GreaterOrEqual(t, int(rev), second-660+2-1, "but not much more")
		s.apply(&recordpb.Request{Kind: &recordpb.Request_Compaction{Compaction: &pb.CompactionRequest{Revision: int64(rev)}}})
		c.last = now.Add(time.Duration(second) * time.Second)
	}
	require.InDelta(t, 3600-600, int(s.m.View().CompactRev()), 700)
	require.LessOrEqual(t, len(c.samples), samplesPerPeriod+2)
}

func TestRevisionCompaction(t *testing.T) {
	s := &store{m: state.New()}
	c := compactor{cfg: AutoCompaction{Mode: CompactRevision, Revisions: 100}}
	now := time.Now()
	_, due := c.due(now, s.at(50))
	require.False(t, due)
	_, due = c.due(now.Add(revisionInterval), s.at(60))
	require.False(t, due, "there is less than is to be retained")
	rev, due := c.due(now.Add(2*revisionInterval), s.at(500))
	require.True(t, due)
	require.EqualValues(t, 400, rev)

	off := compactor{}
	_, due = off.due(now.Add(time.Hour), s.at(500))
	require.False(t, due)
}
