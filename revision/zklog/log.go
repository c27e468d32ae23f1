package zklog

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkclient/measured"
	"github.com/zkine/zkine/revision/zkmember"
	"github.com/zkine/zkine/revision/zkroot"
)

// Config says which log to open and how.
type Config struct {
	// Dialer opens ZooKeeper sessions: *ZooKeeper, or memzk's in tests.
	Dialer zkclient.Dialer
	// Bulk opens those for what is large and can wait; nil is Dialer.
	Bulk zkclient.Dialer
	// OneServer says that all sessions are on one server of 3.6 or newer, which stands
	// alone, and that no other server has its data: then a read shows all that was
	// committed before.
	OneServer bool
	// Root is the znode that holds everything; see CheckRoot.
	Root string
	// Name is this zkine's, for the segment records that people read.
	Name string
	// MaxRequest bounds each request to ZooKeeper, in bytes; 0 is
	// DefaultMaxRequest.
	MaxRequest int
	// MaxSlots and MaxBytes end a segment; 0 is DefaultMaxSlots,
	// DefaultMaxBytes. Both are exceeded a little by appends under way.
	MaxSlots int64
	MaxBytes int
	// CheckpointFrom is how many bytes of log a checkpoint needs to be worth
	// it, at least; 0 is DefaultCheckpointFrom.
	CheckpointFrom int64
	// ClusterID is the only cluster to serve; 0 for any.
	ClusterID uint64
	// Served is what is remembered of an earlier run; nil for nothing. Unless
	// ClusterID or NewCluster says otherwise its cluster is the only one to
	// serve, and if it is served, it must hold what is remembered of it.
	Served *zkroot.Served
	// NewCluster allows another cluster than Served's, and to make one.
	NewCluster bool
	// Random is where the names of segments, the cluster id, the jitter of pauses
	// and the like come from: a source that never fails and may be read by many at
	// once; nil is crypto/rand's.
	Random io.Reader
	// Noted, if set, hears why a session could not be used, each time: what a
	// start waits for. It must return soon.
	Noted func(error)
	// Measured counts what becomes of sessions, and how long requests take; may be nil.
	Measured *measured.Session
	Log      *logrus.Entry
}

const (
	// DefaultMaxSlots keeps a segment's children few enough to list in one
	// reply, and its dataVersion far from int32's end.
	DefaultMaxSlots = 4096
	// DefaultMaxBytes is in bytes as stored.
	DefaultMaxBytes = 16 << 20
	// DefaultCheckpointFrom is in bytes as stored.
	DefaultCheckpointFrom = 4 << 20
)

// Log is the revision log on ZooKeeper. It satisfies backend.Log, where the
// methods' contracts are.
//
// Its goroutines: Session.Run keeps a connection; follow learns of foreign
// slots; a claimant keeps the member's znode, and ends with its connection; all
// end with Close; haltOthers waits for the session's end. Short-lived ones
// rotate, read slots ahead, and ask for a sign of life.
type Log struct {
	*link
	delivery    delivery
	appends     appender
	rotation    rotation
	barriers    barriers
	checkpoints checkpoints
	usage       usage
	member      *zkmember.Membership

	clusterID  uint64
	found      Found        // as of Open
	accepted   atomic.Int64 // the number of the latest decision that is known; see trust.go
	standing   standing
	remembered atomic.Pointer[zkroot.Served] // what Served returned last, or what was recognised; nil for nothing
	refusal    refusal                       // of writes; see zkclient.Code
	opened     bool                          // the first verification is over; only verifications touch it
}

// Open connects, makes the root if it is new, and stands before the first
// slot. It waits for ZooKeeper as long as ctx allows. Errors: ErrForeignRoot,
// ErrNewerFormat, ErrCorrupt, ErrWrongCluster, ErrLogLost, ErrHalted;
// ErrUnavailable when ctx ended first.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if err := zkroot.CheckRoot(cfg.Root); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = logrus.NewEntry(logrus.StandardLogger())
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	setDefault(&cfg.MaxRequest, DefaultMaxRequest)
	setDefault(&cfg.MaxSlots, DefaultMaxSlots)
	setDefault(&cfg.MaxBytes, DefaultMaxBytes)
	setDefault(&cfg.CheckpointFrom, DefaultCheckpointFrom)
	l := newLog(cfg)
	l.group.Go(func() { l.session.Run(l.ctx) })
	l.group.Go(l.haltOthers)
	if _, err := l.session.Get(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.group.Go(func() { (&follower{link: l.link, mayServe: l.mayServe}).run() })
	return l, nil
}

// newLog puts the parts of a log together. None of them runs yet.
func newLog(cfg Config) *Log {
	common := &link{cfg: cfg, layout: zkroot.Layout{Root: cfg.Root}, tail: newTail()}
	common.request.bytes.Store(int64(max(cfg.MaxRequest, zkroot.MinRequest)))
	common.ctx, common.cancel = context.WithCancelCause(context.Background())
	common.pause.Random = cfg.Random
	l := &Log{link: common}
	l.refusal.pause.Random = cfg.Random
	l.session = zkclient.NewSession(zkclient.SessionConfig{Dialer: cfg.Dialer, Verify: l.recognise, Fatal: revision.Fatal, Noted: cfg.Noted, Measured: cfg.Measured,
		Random: cfg.Random, Said: &l.said, Log: cfg.Log})
	l.member = zkmember.New(l.ctx, zkmember.Env{Session: l.session, Layout: l.layout, Group: &l.group,
		Unusable: l.unusable, Random: cfg.Random, Said: &l.said, Log: cfg.Log})
	l.checkpoints.link = common
	l.delivery = delivery{link: common, checkpoints: &l.checkpoints}
	l.rotation.link = common
	l.appends.link, l.appends.rotation, l.appends.refusal = common, &l.rotation, &l.refusal
	l.barriers = barriers{common}
	l.usage.link, l.usage.checkpoints, l.usage.segments = common, &l.checkpoints, l.tail.sizes
	return l
}

func setDefault[T int | int64](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// Close ends the session and waits for every goroutine of the log.
func (l *Log) Close() error {
	l.cancel(revision.ErrClosed)
	l.group.Wait()
	return nil
}

// ClusterID implements backend.Log.
func (l *Log) ClusterID() uint64 { return l.clusterID }

// SessionTimeout implements backend.Log.
func (l *Log) SessionTimeout() time.Duration { return l.session.Timeout() }

// Connected implements backend.Log.
func (l *Log) Connected() error { return l.session.Err() }

// AwaitConnected implements backend.Log.
func (l *Log) AwaitConnected(ctx context.Context) error {
	_, err := l.session.Get(ctx)
	return err
}

// Applied implements backend.Log.
func (l *Log) Applied(seq revision.Seq, rev revision.Rev) {
	l.applied.Store(int64(rev))
	l.standing.applied()
}

// Head returns the newest place in the log that this zkine knows of.
func (l *Log) Head() revision.Seq {
	segment, count := l.tail.head()
	if count == 0 {
		return l.tail.lastDelivered().Slot.Seq
	}
	return revision.Seq{Segment: segment.Number, Slot: count - 1}
}

// Owing implements backend.Log.
func (l *Log) Owing() time.Duration { return l.session.Owing() }

// Pulse implements backend.Log.
func (l *Log) Pulse() (again time.Duration) {
	conn, again := l.session.Quiet()
	if conn == nil {
		return again
	}
	l.group.Go(func() {
		ctx, cancel := l.session.Bound(l.ctx)
		defer cancel()
		conn.Get(ctx, l.layout.Format()) //nolint:errcheck // Owing tells what came of it
	})
	return again
}

// Join implements backend.Log; see zkmember.
func (l *Log) Join(ctx context.Context, member revision.Member) error {
	return l.member.Join(ctx, member)
}

// Leave implements backend.Log.
func (l *Log) Leave(ctx context.Context) error { return l.member.Leave(ctx) }

// Alive implements backend.Log.
func (l *Log) Alive(ctx context.Context, name string) (bool, error) { return l.member.Alive(ctx, name) }

// Members implements backend.Log.
func (l *Log) Members(ctx context.Context) ([]revision.Member, error) {
	members, err := l.member.Members(ctx)
	if err == nil {
		l.company.Store(len(members) > 1)
	}
	return members, err
}
