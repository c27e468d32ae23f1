package doctor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// The scratch znode is ephemeral: should the doctor be killed, ZooKeeper removes it
// when its session ends. It lies in the root, if that holds a cluster; before that
// above it, where no zkine takes it for a stranger's data.
const scratchName = "zkine-doctor-"

const (
	// scratchWrites are made at most, within scratchTime; but tailWrites, of which one
	// does not make 1 in 100, unless these take tailTime. Each has scratchBytes: about
	// what a small write of a client's is in the log.
	scratchWrites, scratchTime = 300, 5 * time.Second
	tailWrites, tailTime       = 100, 20 * time.Second
	scratchBytes               = 1 << 10
)

// writes is what writes on the scratch znode have shown.
type writes struct {
	err    error
	folder string
	// reads and writes are how long each has taken, in order of size.
	reads, writes []time.Duration
	// fsyncs is what each voter has made while the writes were made; missing for one
	// that does not tell.
	fsyncs map[string]fsyncs
	// ahead is by how much the leader's clock is ahead of this machine's, give or take
	// within.
	ahead, within time.Duration
}

// fsyncs are those of a server's log: how many, how long all of them took in ms, and
// the slowest since its start.
type fsyncs struct{ count, sum, most float64 }

// scratched makes the writes, once.
func (p *patient) scratched(ctx context.Context) *writes {
	p.writesOnce.Do(func() {
		p.writes = &writes{fsyncs: map[string]fsyncs{}}
		p.writes.err = p.writes.make(ctx, p)
	})
	return p.writes
}

func (w *writes) make(ctx context.Context, p *patient) error {
	at, remove, err := p.scratch(ctx, p.session)
	if err != nil {
		return err
	}
	defer remove()
	w.folder = path.Dir(at)
	before := p.fsyncs(ctx)
	data := make([]byte, scratchBytes)
	for begun := time.Now(); moreWrites(len(w.writes), time.Since(begun)); {
		began := time.Now()
		if _, err := p.session.Exists(ctx, at); err != nil {
			return fmt.Errorf("look at %s: %w", at, err)
		}
		w.reads = append(w.reads, time.Since(began))
		began = time.Now()
		here := p.cfg.now()
		results, err := p.session.Multi(ctx, zkclient.SetOp(at, data, zkclient.AnyVersion))
		if err != nil {
			return fmt.Errorf("write %s: %w", at, err)
		}
		took := time.Since(began)
		w.writes = append(w.writes, took)
		w.clock(results[0].Stat, here, took)
	}
	for name, now := range p.fsyncs(ctx) {
		if was, known := before[name]; known {
			w.fsyncs[name] = fsyncs{now.count - was.count, now.sum - was.sum, now.most}
		}
	}
	slices.Sort(w.reads)
	slices.Sort(w.writes)
	return nil
}

// moreWrites says whether another one is to be made after so many, which took so long.
func moreWrites(made int, took time.Duration) bool {
	switch {
	case made < 5:
		return true
	case made < tailWrites:
		return took < tailTime
	}
	return made < scratchWrites && took < scratchTime
}

// clock learns from a write when the leader has taken it, which was between its
// beginning and its end. The shortest write tells most.
func (w *writes) clock(stat *zk.Stat, here time.Time, took time.Duration) {
	if w.within != 0 && took/2 >= w.within {
		return
	}
	w.ahead, w.within = time.UnixMilli(stat.Mtime).Sub(here.Add(took/2)), max(took/2, time.Millisecond)
}

// fsyncs are those that each voter has made of its log since its start.
func (p *patient) fsyncs(ctx context.Context) map[string]fsyncs {
	made := map[string]fsyncs{}
	for _, s := range p.servers {
		if !s.votes() {
			continue
		}
		now := server{Server: s.Server, words: map[string]answer{"mntr": s.ask(ctx, "mntr")}}
		count, told := now.number("mntr", "zk_cnt_fsynctime")
		if !told {
			continue
		}
		sum, _ := now.number("mntr", "zk_sum_fsynctime")
		most, _ := now.number("mntr", "zk_max_fsynctime")
		made[s.String()] = fsyncs{count, sum, most}
	}
	return made
}

// scratch makes a scratch znode. remove takes it away again.
func (p *patient) scratch(ctx context.Context, conn zkclient.Conn) (at string, remove func(), err error) {
	folders, err := p.folders(ctx, conn)
	if err != nil {
		return "", nil, err
	}
	for _, folder := range folders {
		at = path.Join(folder, fmt.Sprintf("%s%016x", scratchName, rand.Uint64()))
		if _, err = conn.Multi(ctx, &zk.CreateRequest{Path: at, Flags: zk.FlagEphemeral}); err == nil {
			return at, func() {
				conn.Multi(context.WithoutCancel(ctx), &zk.DeleteRequest{Path: at, Version: zkclient.AnyVersion}) //nolint:errcheck // it goes with the session
			}, nil
		}
		if !errors.Is(err, revision.ErrForbidden) {
			break
		}
	}
	return "", nil, fmt.Errorf("create %s: %w", at, err)
}

// folders are those in which a scratch znode may be, the best first.
func (p *patient) folders(ctx context.Context, conn zkclient.Conn) ([]string, error) {
	if p.rootErr == nil {
		return []string{p.cfg.Root}, nil
	}
	nearest, _, err := zkroot.Nearest(ctx, conn, p.cfg.Root)
	if err != nil {
		return nil, err
	}
	if nearest != p.cfg.Root {
		return []string{nearest}, nil
	}
	return []string{path.Dir(nearest), nearest}, nil
}

// share is the shortest of sorted times that so many of a hundred do not exceed.
func share(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)*percent+99)/100-1]
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }
