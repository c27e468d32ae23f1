package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/bytesize"
	"github.com/zkine/zkine/revision/zkroot"
	"github.com/zkine/zkine/revision/zksurvey"
)

// root looks whether what the root holds may be served.
func root(_ context.Context, p *patient) []Finding {
	if errors.Is(p.rootErr, errNoCluster) && len(p.near) > 0 {
		return []Finding{{Level: Advice, Thing: p.cfg.Root, What: fmt.Sprintf("%v, and there is one under %s", plainly(p.rootErr), strings.Join(p.near, ", ")),
			Why: "a zkine with a mistyped root makes a new, empty cluster, and its clients find none of their keys", Remedy: "check --zookeeper-root, unless a new cluster is meant"}}
	}
	if errors.Is(p.rootErr, errNoCluster) {
		return []Finding{ok(p.cfg.Root, "%v: the first zkine makes one", p.rootErr)}
	}
	if p.rootErr != nil {
		return []Finding{{Level: Problem, Thing: p.cfg.Root, What: plainly(p.rootErr), Why: "no zkine serves it as it is", Remedy: "see docs/operations.md for this line"}}
	}
	h := p.holding
	if h.Halt != nil {
		return []Finding{{Level: Problem, Thing: p.cfg.Root, What: fmt.Sprintf("it is halted since %s, by %s on %s: %s", h.Halt.At.UTC().Format(time.RFC3339), h.Halt.By, h.Halt.Host, h.Halt.Found),
			Why: "the log went back, and no zkine serves it until a person has decided", Remedy: `see "The log went back" in docs/operations.md`}}
	}
	return []Finding{ok(p.cfg.Root, "cluster %v, about revision %d, last written %s", h.ClusterID, h.Revision, h.Written.UTC().Format(time.RFC3339))}
}

const (
	// quietLog is how long the log may be without a write while several zkines serve:
	// the keeper notes a round of digests every five minutes.
	quietLog = 15 * time.Minute
	// leastOverdue is how much log after a checkpoint says nothing, in bytes: a
	// checkpoint is due at 4 MiB, or as much as the last one took, and is written at
	// the end of a segment of 16 MiB.
	leastOverdue = 64 << 20
	// mostMeasured bounds how many segments are measured.
	mostMeasured = 64
)

const remedyKeeper = "see the log of the keeper, the member that etcdctl names as the leader; restart it if it says nothing"

// housekeeping looks whether the keeper keeps the log short.
func housekeeping(ctx context.Context, p *patient) []Finding {
	now := p.cfg.now()
	found := judgeQuiet(p.cfg.Root, p.listed(), now.Sub(p.holding.Written))
	since, err := sinceCheckpoint(ctx, p.session, zkroot.Layout{Root: p.cfg.Root})
	if err != nil {
		return append(found, unknown(p.cfg.Root, "it could not be looked at: %s", plainly(err)))
	}
	return append(found, judgeSince(p.cfg.Root, since, now)...)
}

// judgeQuiet judges how long the log was not written to, with so many zkines listed.
func judgeQuiet(root string, listed int, quiet time.Duration) []Finding {
	if listed < 2 || quiet <= quietLog {
		return nil
	}
	return []Finding{{Level: Problem, Thing: root, What: fmt.Sprintf("%d zkines are listed, and none has written to the log for %v", listed, quiet.Round(time.Second)),
		Why: "the keeper notes every five minutes that members are to compare their states, and does not", Remedy: remedyKeeper}}
}

// judgeSince judges how much log there is beside the checkpoint.
func judgeSince(root string, since checkpointed, now time.Time) (found []Finding) {
	told := fmt.Sprintf("there is no checkpoint yet, of %s of log", bytesize.Text(since.log))
	if since.written != (time.Time{}) {
		told = fmt.Sprintf("the newest checkpoint, of %s, was written %v ago; %s of log come after it", bytesize.Text(since.bytes), now.Sub(since.written).Round(time.Second), bytesize.Text(since.log))
	}
	if since.log > max(leastOverdue, 4*since.bytes) {
		found = append(found, Finding{Level: Problem, Thing: root, What: told, Why: "a start replays all of that, and ZooKeeper holds it in memory", Remedy: remedyKeeper})
	} else {
		found = append(found, ok(root, "%s", told))
	}
	if since.covered > 2 {
		found = append(found, Finding{Level: Advice, Thing: root, What: fmt.Sprintf("%d segments are still there that the checkpoint before the newest covers", since.covered),
			Why: "the log is trimmed only once members agree about their states, and once an archive has it", Remedy: "see the keeper's log for members that disagree, and zkine_archive_lag_seconds"})
	}
	return found
}

// checkpointed is what there is since the newest checkpoint.
type checkpointed struct {
	// written is when it was, and bytes what it takes; zero without one.
	written time.Time
	bytes   int64
	// segments come after it, with so many bytes of log.
	segments int
	log      int64
	// covered is how many segments are there that need not be.
	covered int
}

func sinceCheckpoint(ctx context.Context, conn zkroot.Nodes, l zkroot.Layout) (since checkpointed, err error) {
	reader, survey := zkroot.NewReader(conn, l), zksurvey.New(conn, l)
	record, made, err := reader.CheckpointAge(ctx)
	if err != nil {
		return since, err
	}
	after, trimmed := int64(0), int64(0)
	if record.Latest != nil {
		after, since.written, since.bytes = record.Latest.Segment, made, record.Latest.Bytes
	}
	if record.Previous != nil {
		trimmed = record.Previous.Segment
	}
	segments, err := reader.Segments(ctx)
	if err != nil {
		return since, err
	}
	for _, s := range segments {
		if s.Number <= trimmed {
			since.covered++
		}
		if s.Number <= after {
			continue
		}
		if since.segments++; since.segments > mostMeasured {
			continue
		}
		measured, err := survey.Segment(ctx, s, nil)
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			return since, err
		}
		since.log += measured.Bytes()
	}
	return since, nil
}
