package zkroot

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
)

// Finding is something in a root that cannot be trusted, or does not belong
// there.
type Finding struct {
	// Path is the znode's.
	Path string
	// Err wraps ErrCorrupt, ErrNewerFormat, ErrForeignRoot or ErrForbidden.
	Err error
}

// Verified is what Verify saw.
type Verified struct {
	ClusterID uint64
	Segments  int
	Slots     int64
	Requests  int64
	// Bytes is what the slots and their parts hold.
	Bytes int64
	// CheckpointSegment is the last one that the newest checkpoint covers, 0
	// without a checkpoint; CheckpointBytes is what its chunks hold.
	CheckpointSegment int64
	CheckpointBytes   int64
	// Orphans counts staged parts that no slot names: left by appends that
	// never happened, and harmless.
	Orphans int
	// Halt is nil if the root may be served; see trust.go.
	Halt     *Halt
	Findings []Finding
}

// Verify reads everything under a root, from the format to the last slot as of
// its beginning, and judges it, without stopping at the first finding. It
// changes nothing. want.ClusterID, if it is not 0, must be the root's. An error
// says that there was nothing to judge (ErrNoData, ErrWrongCluster), or that it
// could not finish, for want of a connection.
func (r Reader) Verify(ctx context.Context, want Wanted) (*Verified, error) {
	v := &verifier{ctx: ctx, Reader: r, want: want, out: &Verified{}}
	if err := v.run(); err != nil {
		return nil, err
	}
	return v.out, nil
}

// verifier is a Verify under way.
type verifier struct {
	Reader
	ctx  context.Context
	want Wanted
	out  *Verified
	// covered is the last segment that may be gone, or going.
	covered int64
}

func (v *verifier) run() error {
	if _, err := v.conn.Multi(v.ctx, zkclient.CheckOp(v.layout.Format(), zkclient.AnyVersion)); err != nil && !errors.Is(err, zk.ErrNoNode) {
		return v.unless(v.layout.Format(), err)
	}
	id, err := v.Format(v.ctx)
	if errors.Is(err, zk.ErrNoNode) {
		if err = v.missingFormat(v.ctx); errors.Is(err, revision.ErrNoData) {
			return err
		}
	}
	if err != nil {
		return v.unless(v.layout.Format(), err)
	}
	if err := v.want.Allows(id); err != nil {
		return err
	}
	v.out.ClusterID = id
	trust, _, err := v.Trust(v.ctx)
	if err := v.unless(v.layout.Trust(), err); err != nil {
		return err
	}
	v.out.Halt = trust.Halt
	open, err := v.Open(v.ctx)
	if err != nil {
		return v.unless(v.layout.Log(), err)
	}
	if err := v.judgeCheckpoints(); err != nil {
		return err
	}
	segments, err := v.listed(open)
	if err != nil {
		return v.unless(v.layout.Log(), err)
	}
	for _, s := range segments {
		before := len(v.out.Findings)
		if err := v.judgeSegment(s, open); err != nil {
			return err
		}
		if len(v.out.Findings) == before {
			continue
		}
		if err := v.learnCovered(); err != nil {
			return err
		}
		if s.Number <= v.covered {
			// A keeper has removed it since it was listed.
			v.out.Findings = v.out.Findings[:before]
		}
	}
	return nil
}

// learnCovered notes what may be gone by now.
func (v *verifier) learnCovered() error {
	record, _, err := v.Checkpoints(v.ctx)
	if err != nil {
		return v.unless(v.layout.Checkpoint(), err)
	}
	if record.Previous != nil {
		v.covered = max(v.covered, record.Previous.Segment)
	}
	return nil
}

// unless notes err as a finding about a znode, if it is about what the znode
// holds, and else returns it: then there is no use in going on.
func (v *verifier) unless(path string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, zk.ErrNoNode) {
		err = fmt.Errorf("%w: it is missing", revision.ErrCorrupt)
	}
	if !revision.Fatal(err) {
		return err
	}
	v.found(path, err)
	return nil
}

func (v *verifier) found(path string, err error) {
	v.out.Findings = append(v.out.Findings, Finding{path, err})
}
