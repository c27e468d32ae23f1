package main

import (
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/zkine/zkine/backend/housekeep"
)

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
