package zkroot

import (
	"fmt"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// encodeLease is what a batch says of the read lease, as a record; nil for nothing.
func encodeLease(l *revision.ReadLease) *recordpb.ReadLease {
	if l == nil {
		return nil
	}
	return &recordpb.ReadLease{Holder: l.Holder, SeenSegment: l.Seen.Segment, SeenSlot: l.Seen.Slot, Renews: l.Renews}
}

// decodeLease reads what encodeLease wrote. Errors: ErrCorrupt, ErrNewerFormat.
func decodeLease(r *recordpb.ReadLease) (*revision.ReadLease, error) {
	switch {
	case r == nil:
		return nil, nil
	case len(r.ProtoReflect().GetUnknown()) > 0:
		return nil, fmt.Errorf("%w: a read lease with fields unknown to this one; upgrade it", revision.ErrNewerFormat)
	case r.Holder == 0 || r.SeenSegment < 0 || r.SeenSlot < 0:
		return nil, fmt.Errorf("%w: a read lease of holder %x that has seen %d/%d", revision.ErrCorrupt, r.Holder, r.SeenSegment, r.SeenSlot)
	}
	return &revision.ReadLease{Holder: r.Holder, Seen: revision.Seq{Segment: r.SeenSegment, Slot: r.SeenSlot}, Renews: r.Renews}, nil
}
