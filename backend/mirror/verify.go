package mirror

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend/etcdapi"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// Verified is what was compared.
type Verified struct {
	Revision int64
	// Keys and Bytes are how much each side holds, and Hash is that of both.
	Keys, Bytes int64
	Hash        string
}

// Verify reads all of the source at the root's revision, and compares it by hash with
// what the root's log has made. done is told of each key of the source; may be nil.
// Errors: etcdapi.ErrDiffers; etcdapi.ErrCompacted, if the source has gone on so far that
// this revision cannot be read any more.
func Verify(ctx context.Context, source Source, v *state.View, done func(keys, bytes int64)) (Verified, error) {
	rev := int64(v.Rev())
	counted := source.Kind() == etcdapi.Etcd
	theirs, ours := etcdapi.NewDigest(counted), etcdapi.NewDigest(counted)
	if err := digest(theirs, source.Keys(ctx, rev), done); err != nil {
		return Verified{}, err
	}
	if err := digest(ours, v.Keys(""), nil); err != nil {
		return Verified{}, err
	}
	out := Verified{Revision: rev, Keys: ours.Keys, Bytes: ours.Bytes, Hash: ours.String()}
	if theirs.String() != ours.String() {
		return out, fmt.Errorf("%w at revision %d: the source has %d keys of %d bytes (hash %.16s), the root %d of %d (%.16s)",
			etcdapi.ErrDiffers, rev, theirs.Keys, theirs.Bytes, theirs.String(), ours.Keys, ours.Bytes, ours.String())
	}
	return out, nil
}

func digest(d *etcdapi.Digest, keys iter.Seq2[*mvccpb.KeyValue, error], done func(keys, bytes int64)) error {
	for kv, err := range keys {
		if err != nil {
			return err
		}
		d.Add(kv)
		if done != nil {
			done(1, int64(len(kv.Key)+len(kv.Value)))
		}
	}
	return nil
}

// Related shows that a root holds what the source held at the root's revision, before it
// is followed on: by the changes of that very revision, or, if it has none, by all keys.
// Errors: ErrUnrelated; etcdapi.ErrCompacted, if the source cannot tell any more.
func Related(ctx context.Context, source Source, v *state.View) error {
	current, err := source.Current(ctx)
	if err != nil {
		return err
	}
	rev := int64(v.Rev())
	if rev > current {
		return fmt.Errorf("%w: that is %d, the source is at %d", ErrUnrelated, rev, current)
	}
	theirs, err := source.FloorEvents(ctx, rev)
	if err != nil {
		return err
	}
	change, _ := v.Change(revision.Rev(rev))
	if len(theirs) == 0 && len(change.Events) == 0 {
		if _, err := Verify(ctx, source, v, nil); err != nil {
			return fmt.Errorf("%w: %w", ErrUnrelated, err)
		}
		return nil
	}
	if len(theirs) != len(change.Events) {
		return fmt.Errorf("%w: revision %d has %d changes there, and %d here", ErrUnrelated, rev, len(theirs), len(change.Events))
	}
	for i, e := range change.Events {
		if !same(theirs[i], e, source.Kind() == etcdapi.Etcd) {
			return fmt.Errorf("%w: revision %d has other changes there", ErrUnrelated, rev)
		}
	}
	return nil
}

func same(theirs *mvccpb.Event, ours state.Event, counted bool) bool {
	a, b := theirs.GetKv(), ours.Proto(false, 0).GetKv()
	if !bytes.Equal(a.GetKey(), b.GetKey()) || (theirs.GetType() == mvccpb.Event_DELETE) != ours.IsDelete() {
		return false
	}
	return ours.IsDelete() || bytes.Equal(a.GetValue(), b.GetValue()) && a.GetLease() == b.GetLease() &&
		a.GetCreateRevision() == b.GetCreateRevision() && (!counted || a.GetVersion() == b.GetVersion())
}
