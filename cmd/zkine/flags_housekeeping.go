package main

import (
	"github.com/spf13/pflag"

	"github.com/zkine/zkine/revision/zklog"
)

// housekeepingFlags are how soon the log is cut, packed and checkpointed. No
// member depends on another's: each cuts by its own, and the keeper's count for
// the rest.
type housekeepingFlags struct {
	segmentSlots       int
	segmentBytes       int
	checkpointLogBytes int
}

const (
	// maxSegmentSlots keeps the list of a segment's slots below ZooKeeper's
	// limit on a reply.
	maxSegmentSlots = 16 << 10
	maxSegmentBytes = 1 << 30
)

func (h *housekeepingFlags) bind(f *pflag.FlagSet) {
	f.IntVar(&h.segmentSlots, "log-segment-slots", zklog.DefaultMaxSlots, "advanced: how many `slots` of the log a segment holds, about; only whole segments are packed and checkpointed")
	f.IntVar(&h.segmentBytes, "log-segment-bytes", zklog.DefaultMaxBytes, "advanced: how many `bytes` a segment holds, about")
	f.IntVar(&h.checkpointLogBytes, "checkpoint-log-bytes", zklog.DefaultCheckpointFrom, "advanced: how many `bytes` of log are worth a checkpoint, at least; as much as the last one took, in any case")
}

func (h *housekeepingFlags) check(v *checker) {
	v.between("log-segment-slots", int64(h.segmentSlots), 1, maxSegmentSlots, plain)
	v.between("log-segment-bytes", int64(h.segmentBytes), 1, maxSegmentBytes, bytes)
	v.between("checkpoint-log-bytes", int64(h.checkpointLogBytes), 1, maxSegmentBytes, bytes)
}
