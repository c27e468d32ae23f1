package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/archive/objectstore"
)

// archiveFlags are where the log is kept besides, and for how long; of the server with
// the prefix "archive-", of `zkine archive` without.
type archiveFlags struct {
	location string
	interval time.Duration
	age      time.Duration
	count    int
	trimWait time.Duration
}

const (
	archiveURLHelp = "keep the log and its checkpoints at this `URL` as well: file:///folder, or s3://bucket/prefix?endpoint=https://host:port"

	// leastArchiveInterval leaves a round some time; mostArchiveInterval is what may be lost.
	leastArchiveInterval = time.Second
	mostArchiveInterval  = time.Hour
	// defaultRetention is a month, about.
	defaultRetention = 30 * 24 * time.Hour
	mostRetention    = 100 * 365 * 24 * time.Hour
	mostCheckpoints  = 1_000_000
)

// bindServer declares the flags of the server.
func (a *archiveFlags) bindServer(f *pflag.FlagSet) {
	f.StringVar(&a.location, "archive", "", archiveURLHelp)
	a.bind(f, "archive-")
	f.DurationVar(&a.trimWait, "archive-trim-wait", archive.DefaultTrimWait, "for how long the log stays in ZooKeeper for an archive that lags, at most, while there is room")
}

func (a *archiveFlags) bind(f *pflag.FlagSet, prefix string) {
	f.DurationVar(&a.interval, prefix+"interval", archive.DefaultInterval, "how much `time` of acknowledged writes may be missing from the archive, at most")
	f.DurationVar(&a.age, prefix+"retention", defaultRetention, "for how `long` one can go back; 0 removes nothing for its age")
	f.IntVar(&a.count, prefix+"retention-count", 0, "how many `checkpoints` are kept at most, with the log after the first of them; 0 for any number")
}

func (a *archiveFlags) check(v *checker, location, prefix string) {
	v.duration(prefix+"interval", a.interval, leastArchiveInterval, mostArchiveInterval)
	v.duration(prefix+"retention", a.age, 0, mostRetention)
	v.between(prefix+"retention-count", int64(a.count), 0, mostCheckpoints, plain)
	if a.location == "" {
		return
	}
	if _, err := objectstore.Open(a.location, true); err != nil {
		v.refuse(location, err.Error(), "see docs/recovery.md")
	}
}

// checkServer is check for the server's flags.
func (a *archiveFlags) checkServer(v *checker) {
	a.check(v, "archive", "archive-")
	v.duration("archive-trim-wait", a.trimWait, 0, mostRetention)
}

// config is what an archiver is told of all that.
func (a *archiveFlags) config() (archive.Config, error) {
	store, err := objectstore.Open(a.location, true)
	return archive.Config{Store: store, Interval: a.interval, Retention: archive.Retention{Age: a.age, Count: a.count},
		TrimWait: max(a.trimWait, 1)}, err
}
