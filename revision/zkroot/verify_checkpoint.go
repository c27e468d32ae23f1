package zkroot

import "github.com/zkine/zkine/revision/recordpb"

// judgeCheckpoints judges the checkpoints, chunk by chunk. If they are replaced
// while it does so, it begins again.
func (v *verifier) judgeCheckpoints() error {
	for {
		before := len(v.out.Findings)
		version, err := v.judgeCheckpointsOnce()
		if err != nil {
			return err
		}
		_, now, err := v.Checkpoints(v.ctx)
		if err != nil || now == version {
			return v.unless(v.layout.Checkpoint(), err)
		}
		v.out.Findings = v.out.Findings[:before]
	}
}

func (v *verifier) judgeCheckpointsOnce() (version int64, err error) {
	record, version, err := v.Checkpoints(v.ctx)
	if err != nil {
		return version, v.unless(v.layout.Checkpoint(), err)
	}
	if record.Latest != nil {
		v.out.CheckpointSegment, v.out.CheckpointBytes = record.Latest.Segment, record.Latest.Bytes
	}
	if record.Previous != nil {
		v.covered = record.Previous.Segment
	}
	for _, ref := range []*CheckpointRef{record.Latest, record.Previous} {
		if ref == nil {
			continue
		}
		manifest, err := v.Manifest(v.ctx, ref)
		if err != nil {
			if err := v.unless(v.layout.Manifest(ref.Attempt, 0), err); err != nil {
				return version, err
			}
			continue
		}
		for _, c := range append([]*recordpb.StoredChunk{manifest.Meta}, manifest.Chunks...) {
			_, err := v.Chunk(v.ctx, c)
			if err := v.unless(v.layout.Chunk(c.Attempt, int(c.Number), 0), err); err != nil {
				return version, err
			}
		}
	}
	return version, nil
}
