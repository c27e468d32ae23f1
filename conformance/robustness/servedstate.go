package robustness

import (
	"context"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
)

// ServedState is what a zkine shows of the whole store.
type ServedState struct {
	// Rev is the current revision.
	Rev int64
	// KVs are all keys.
	KVs []*mvccpb.KeyValue
	// Hash is HashKV at Rev, since CompactRev.
	Hash       uint32
	CompactRev int64
}

// readServedState asks a zkine for everything.
func readServedState(ctx context.Context, endpoint string) (*ServedState, error) {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	all, err := c.Get(ctx, "", clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	hash, err := c.HashKV(ctx, endpoint, all.Header.Revision)
	if err != nil {
		return nil, err
	}
	return &ServedState{Rev: all.Header.Revision, KVs: all.Kvs, Hash: hash.Hash, CompactRev: hash.CompactRevision}, nil
}

// CheckServedState compares what a zkine shows with what the log leads to at the same
// revision. All zkines are so compared with each other too.
func (h *History) CheckServedState(shown *ServedState) error {
	want, err := h.content(shown.Rev)
	if err != nil {
		return fmt.Errorf("no such revision as %d in the log, which ends at %d: %w", shown.Rev, h.Rev(), err)
	}
	equal := func(a, b *mvccpb.KeyValue) bool { return proto.Equal(a, b) }
	if !slices.EqualFunc(shown.KVs, want, equal) {
		return fmt.Errorf("%d keys at revision %d, not the %d that the log leads to: %v, not %v",
			len(shown.KVs), shown.Rev, len(want), shown.KVs, want)
	}
	hash, err := h.machine.View().HashKV(revision.Rev(shown.Rev))
	if err != nil {
		return fmt.Errorf("hash the log up to revision %d: %w", shown.Rev, err)
	}
	if int64(hash.CompactRev) > shown.CompactRev {
		return nil // a compaction that its client gave up came late; the hash says nothing then
	}
	if hash.Hash != shown.Hash || int64(hash.CompactRev) != shown.CompactRev {
		return fmt.Errorf("HashKV at revision %d is %d since %d, not %d since %d as the log has it",
			shown.Rev, shown.Hash, shown.CompactRev, hash.Hash, hash.CompactRev)
	}
	return nil
}
