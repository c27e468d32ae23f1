package revision

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"
)

// Config says which log to open and how.
type Config struct {
	// Dialer opens ZooKeeper sessions: *ZooKeeper, or memzk's in tests.
	Dialer Dialer
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
	Log            *logrus.Entry
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
// Its goroutines: session.run keeps a connection; follow learns of foreign
// slots; both end with Close. Short-lived ones rotate, and read slots ahead.
type Log struct {
	cfg     Config
	layout  layout
	session *session
	tail    *tail
	revs    revMap

	clusterID  uint64
	latest     atomic.Pointer[checkpointRef] // the newest checkpoint that is known of; nil for none
	loaded     *Checkpoint                   // nil if delivery began with the first slot
	packs      knownPacks
	maxRequest atomic.Int64 // bytes
	epoch      atomic.Int64 // the highest ZAB epoch seen
	applied    atomic.Int64 // the revision that the state has reached

	member membership

	rotating atomic.Bool
	opened   bool // the first greeting is over; only greetings touch it
	ctx      context.Context
	cancel   context.CancelCauseFunc
	wg       sync.WaitGroup
}

// Open connects, makes the root if it is new, and stands before the first
// slot. It waits for ZooKeeper as long as ctx allows. Errors: ErrForeignRoot,
// ErrNewerFormat, ErrCorrupt; ErrUnavailable when ctx ended first.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if err := CheckRoot(cfg.Root); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = logrus.NewEntry(logrus.StandardLogger())
	}
	setDefault(&cfg.MaxRequest, DefaultMaxRequest)
	setDefault(&cfg.MaxSlots, DefaultMaxSlots)
	setDefault(&cfg.MaxBytes, DefaultMaxBytes)
	setDefault(&cfg.CheckpointFrom, DefaultCheckpointFrom)
	l := &Log{cfg: cfg, layout: layout{cfg.Root}, tail: newTail()}
	l.maxRequest.Store(int64(max(cfg.MaxRequest, minRequest)))
	l.session = newSession(cfg.Dialer, cfg.Log, l.greet)
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.spawn(func() { l.session.run(l.ctx) })
	if _, err := l.session.get(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.spawn(l.follow)
	return l, nil
}

func setDefault[T int | int64](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

func (l *Log) spawn(f func()) {
	l.wg.Add(1)
	go func() {
		defer l.wg.Done()
		f()
	}()
}

// Close ends the session and waits for every goroutine of the log.
func (l *Log) Close() error {
	l.cancel(ErrClosed)
	l.wg.Wait()
	return nil
}

// ClusterID implements backend.Log.
func (l *Log) ClusterID() uint64 { return l.clusterID }

// SessionTimeout implements backend.Log.
func (l *Log) SessionTimeout() time.Duration { return l.session.sessionTimeout() }

// Connected implements backend.Log.
func (l *Log) Connected() error { return l.session.err() }

// AwaitConnected implements backend.Log.
func (l *Log) AwaitConnected(ctx context.Context) error {
	_, err := l.session.get(ctx)
	return err
}

// Applied implements backend.Log.
func (l *Log) Applied(seq Seq, rev Rev) {
	l.applied.Store(int64(rev))
	l.revs.add(seq, rev)
}

// Locate returns the place in the log that made a revision, if this zkine
// applied it since it started.
func (l *Log) Locate(rev Rev) (Seq, bool) { return l.revs.locate(rev) }

// RevisionAt returns the revision of the store once the slot at seq was
// applied, if this zkine did so since it started.
func (l *Log) RevisionAt(seq Seq) (Rev, bool) { return l.revs.at(seq) }

// Head returns the newest place in the log that this zkine knows of.
func (l *Log) Head() Seq {
	segment, count := l.tail.head()
	if count == 0 {
		return l.tail.lastDelivered().slot.Seq
	}
	return Seq{segment.number, count - 1}
}

// Size is about how many bytes the root holds in ZooKeeper: the newest
// checkpoint and the log that Next has delivered and that was not trimmed since.
// Packing by another member shows only after a restart.
func (l *Log) Size() int64 {
	size := l.tail.bytesAfter(0, math.MaxInt64)
	if latest := l.latest.Load(); latest != nil {
		size += latest.Bytes
	}
	return size
}

func (l *Log) noteZxid(zxid int64) {
	for {
		seen, epoch := l.epoch.Load(), zxid>>32
		if epoch <= seen || l.epoch.CompareAndSwap(seen, epoch) {
			return
		}
	}
}

// term is what a slot carries as its writer's: ZAB's epochs start at 0 on a
// standalone server, etcd's terms at 1.
func (l *Log) term() uint64 { return uint64(l.epoch.Load()) + 1 }

// limit is how many bytes of an envelope go into one request.
func (l *Log) limit() int { return int(l.maxRequest.Load()) - requestOverhead }

// shrink halves the limit; false if it is at its smallest.
func (l *Log) shrink() bool {
	old := l.maxRequest.Load()
	smaller := max(old/2, minRequest)
	if smaller == old {
		return false
	}
	if l.maxRequest.CompareAndSwap(old, smaller) {
		l.cfg.Log.Warnf("connections end on large requests: sending at most %d bytes from now on; the servers' jute.maxbuffer may be smaller than --max-zookeeper-request", smaller)
	}
	return true
}

// opContext bounds one request to ZooKeeper. A server that is silent for a
// session timeout is given up.
func (l *Log) opContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, max(l.SessionTimeout(), time.Second),
		errors.New("ZooKeeper did not answer within the session timeout"))
}

// greet verifies a new connection before anyone uses it: the server may lag
// behind what was seen, and the ensemble may have been wiped, restored or
// have lost its tail. See docs/design.md, "Sessions".
func (l *Log) greet(ctx context.Context, conn Conn) error {
	if !l.opened {
		return l.greetFirst(ctx, conn)
	}
	// A quorum write: afterwards this server shows all that was committed.
	if _, err := conn.Multi(ctx, checkOp(l.layout.format(), anyVersion)); err != nil {
		return l.lostIfMissing(err, l.layout.format())
	}
	id, err := readFormat(ctx, conn, l.layout)
	if err != nil {
		return l.lostIfMissing(err, l.layout.format())
	}
	if id != l.clusterID {
		return fmt.Errorf("%w: %s names cluster %x, this zkine serves %x; restart it to serve the other",
			ErrLogLost, l.layout.format(), id, l.clusterID)
	}
	if err := l.recognise(ctx, conn); err != nil {
		return err
	}
	l.tail.forgetReady()
	return l.member.greet(ctx, conn)
}

func (l *Log) greetFirst(ctx context.Context, conn Conn) error {
	id, err := openRoot(ctx, conn, l.layout)
	if err != nil {
		return err
	}
	if _, err := conn.Multi(ctx, checkOp(l.layout.format(), anyVersion)); err != nil {
		return err
	}
	open, err := l.readOpen(ctx, conn)
	if err != nil {
		return err
	}
	if err := l.startAfterCheckpoint(ctx, conn, open); err != nil {
		return err
	}
	l.clusterID = id
	l.member.init(l)
	l.opened = true
	return nil
}

// startAfterCheckpoint makes Next deliver what comes after the newest
// checkpoint.
func (l *Log) startAfterCheckpoint(ctx context.Context, conn Conn, open segmentRef) error {
	loaded, err := l.loadCheckpoint(ctx, conn)
	if err != nil {
		return err
	}
	covered := int64(0)
	if loaded != nil {
		covered = loaded.Segment
	}
	first, err := l.segmentAfter(ctx, conn, covered)
	if err != nil {
		return err
	}
	l.loaded = loaded
	l.tail.start(first, open)
	return nil
}

// Reload makes Next go on after the newest checkpoint, once it has returned
// ErrTrimmed. Called by Next's caller, who takes the state from Checkpoint
// then. Appends under way whose outcome is not known by now end with
// ErrUnknown.
func (l *Log) Reload(ctx context.Context) error {
	conn, err := l.session.get(ctx)
	if err != nil {
		return err
	}
	opCtx, cancel := l.opContext(ctx)
	defer cancel()
	open, err := l.readOpen(opCtx, conn)
	if err != nil {
		return err
	}
	return l.startAfterCheckpoint(opCtx, conn, open)
}

// recognise shows that the log still holds what was delivered from it.
func (l *Log) recognise(ctx context.Context, conn Conn) error {
	known, count := l.tail.head()
	open, err := l.readOpen(ctx, conn)
	if err != nil {
		return l.lostIfMissing(err, l.layout.log())
	}
	if open.number < known.number || open.number == known.number && open.name != known.name {
		return fmt.Errorf("%w: the open segment is %s, it was %s; see docs/operations.md, \"The log went back\"",
			ErrLogLost, open.name, known.name)
	}
	path := l.layout.segment(known.name)
	_, stat, err := conn.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		if err := l.trimmed(ctx, conn, known.number); errors.Is(err, ErrTrimmed) {
			return nil // Next will find the same, and reload
		}
	}
	if err != nil {
		return l.lostIfMissing(err, path)
	}
	if int64(stat.Version) < count {
		return fmt.Errorf("%w: %s holds %d slots, %d were known; see docs/operations.md, \"The log went back\"",
			ErrLogLost, path, stat.Version, count)
	}
	last := l.tail.lastDelivered()
	if last.slot.Seq == (Seq{}) {
		return nil
	}
	path = l.layout.slot(last.segment.name, last.slot.Seq.Slot)
	data, _, err := conn.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return l.recogniseElsewhere(ctx, conn, last)
	}
	if err != nil {
		return err
	}
	if e, err := openEnvelope(data); err != nil || e.nonce != last.slot.Nonce {
		return fmt.Errorf("%w: %s is not the slot that was applied (%v); see docs/operations.md, \"The log went back\"",
			ErrLogLost, path, err)
	}
	return nil
}

// recogniseElsewhere looks for the slot delivered last where it can be but in
// its own znode: in a pack, or behind a checkpoint.
func (l *Log) recogniseElsewhere(ctx context.Context, conn Conn, last entry) error {
	packs, err := listPacks(ctx, conn, l.layout, last.segment.name)
	if err != nil {
		return err
	}
	path := l.layout.slot(last.segment.name, last.slot.Seq.Slot)
	if ref, packed := findPack(packs, last.slot.Seq.Slot); packed {
		entries, err := l.readPack(ctx, conn, last.segment, ref)
		if err != nil {
			return err
		}
		if entries[last.slot.Seq.Slot-ref.first].slot.Nonce == last.slot.Nonce {
			return nil
		}
		return fmt.Errorf("%w: %s, packed, is not the slot that was applied; see docs/operations.md, \"The log went back\"",
			ErrLogLost, path)
	}
	if err := l.trimmed(ctx, conn, last.slot.Seq.Segment); errors.Is(err, ErrTrimmed) {
		return nil // Next will find the same, and reload
	} else if err != nil {
		return err
	}
	return l.lostIfMissing(zk.ErrNoNode, path)
}

func (l *Log) lostIfMissing(err error, path string) error {
	if errors.Is(err, zk.ErrNoNode) {
		return fmt.Errorf("%w: %s is gone; see docs/operations.md, \"The log went back\"", ErrLogLost, path)
	}
	return err
}
