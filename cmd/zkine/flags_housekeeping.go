package main

import (
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/revision/zklog"
)

// housekeepingFlags are how soon the log is cut, packed and checkpointed. No
// member depends on another's: each cuts by its own, and the keeper's count for
// the rest.
type housekeepingFlags struct {
	segmentSlots       int
	segmentBytes       int
	checkpointLogBytes int
	origin             bool
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
	f.BoolVar(&h.origin, "log-origin", true, "note in the log when, and by which member, each batch was written, once all members know what that is; false before going back to an earlier release")
}

func (h *housekeepingFlags) check(v *checker) {
	v.between("log-segment-slots", int64(h.segmentSlots), 1, maxSegmentSlots, plain)
	v.between("log-segment-bytes", int64(h.segmentBytes), 1, maxSegmentBytes, bytes)
	v.between("checkpoint-log-bytes", int64(h.checkpointLogBytes), 1, maxSegmentBytes, bytes)
}

// compactionFlags are how the keeper compacts by itself; named as etcd's.
type compactionFlags struct{ mode, retention string }

func (c *compactionFlags) bind(f *pflag.FlagSet) {
	f.StringVar(&c.mode, "auto-compaction-mode", housekeep.CompactPeriodic, "what is retained by automatic compaction: `periodic` (a time) or revision (a number of them)")
	f.StringVar(&c.retention, "auto-compaction-retention", "0", "how much is retained: hours or a `duration` like 30m, or revisions; 0 never compacts")
}

// check returns what the flags mean.
func (c *compactionFlags) check(v *checker) housekeep.AutoCompaction {
	const flag = "auto-compaction-retention"
	v.oneOf("auto-compaction-mode", c.mode, housekeep.CompactPeriodic, housekeep.CompactRevision)
	number, err := strconv.ParseInt(c.retention, 10, 64)
	if c.mode == housekeep.CompactRevision {
		if err != nil || number < 0 {
			v.refuse(flag, strconv.Quote(c.retention)+" is not a number of revisions", "write it like 10000, or 0 for no automatic compaction")
		}
		return housekeep.AutoCompaction{Mode: c.mode, Revisions: number}
	}
	period := time.Duration(min(number, 1<<20)) * time.Hour // etcd: a bare number counts hours
	if err != nil {
		period, err = time.ParseDuration(c.retention)
	}
	if err != nil || period < 0 {
		v.refuse(flag, strconv.Quote(c.retention)+" is not a time", "write it like 1h or 30m, or 0 for no automatic compaction")
	}
	return housekeep.AutoCompaction{Mode: c.mode, Period: period}
}
