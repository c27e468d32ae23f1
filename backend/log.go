package backend

import (
	"context"
	"slices"
	"time"

	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/backend/readlease"
	"github.com/zkine/zkine/revision"
)

// Log is the totally ordered record of requests that the state machine applies:
// the sum of what each part of the backend needs of it, for Open. Each part holds
// its own interface only. *zklog.Log satisfies it, on a ZooKeeper ensemble or,
// with package memzk, on one in memory; package memlog has a twin in memory with
// faults on request.
type Log interface {
	Appender
	Source
	Barrier
	housekeep.Store
	Membership
	Info

	// Close ends the session and everything that waits. It returns when
	// nothing of the log is running any more.
	Close() error
}

// Eager is what a log may offer besides, which spares each write and each
// linearizable read some goroutines that would have to be woken for it: the caller that
// has a batch sends it, and the goroutine that learns of its slot has it applied, if the
// log is a readlease.Taker as well. *zklog.Log satisfies it.
//
// Neither method waits: false says that this would take waiting, and that nothing was
// sent. Done is called once, with what Append or Barrier would have returned, on a
// goroutine that reads from ZooKeeper or one of the log's: it must not wait for the log.
// Ctx bounds what follows on an answer that settles nothing; it has to end before the
// log is closed.
type Eager interface {
	Begin(ctx context.Context, batch *revision.Batch, done func(revision.Appended, error)) bool
	BeginBarrier(ctx context.Context, done func(revision.Seq, error)) bool
}

// eagerly is the log's Eager, nil if it has none.
func eagerly(log Log) Eager {
	eager, _ := log.(Eager)
	return eager
}

// Membership is the list of the zkines that run on the root.
type Membership interface {
	housekeep.Membership

	// Join announces this zkine as a member, now and in later sessions.
	// revision.ErrNameTaken: another live one holds the name. It may return
	// before this zkine is in the list: where a dead one is in its way.
	Join(ctx context.Context, member revision.Member) error

	// Leave takes this zkine off the list of members, for good. Everything else
	// goes on.
	Leave(ctx context.Context) error
}

// Info is what can be told of the log without I/O.
type Info interface {
	// ClusterID identifies the root, the same for every member.
	ClusterID() uint64

	// SessionTimeout is how long a silent member is still counted as live.
	SessionTimeout() time.Duration

	// Sizes is what the root holds in ZooKeeper.
	Sizes() revision.Sizes

	// Head is the newest place in the log that is known of.
	Head() revision.Seq

	// Connected is nil while a ZooKeeper session is up, or says why not.
	Connected() error

	// Owing is for how long ZooKeeper has left this zkine without any answer,
	// though it owes one; 0 if it owes none, and without a session.
	Owing() time.Duration

	// Refused says why ZooKeeper takes no writes at present, though it could be
	// reached: revision.ErrQuota, revision.ErrRefused, or
	// revision.ErrUnauthenticated, with which it serves nothing at all. nil if
	// it takes them. Only an append finds out that it does again.
	Refused() error

	// Pulse asks ZooKeeper for a sign of life, without waiting for it, unless
	// it was asked something a moment ago. It writes nothing. It is to be called
	// again after so long, if that is above 0.
	Pulse() (again time.Duration)
}

// ReadLease says whether this zkine takes the read lease; see docs/read-lease.md.
type ReadLease struct {
	// Wanted is --read-lease.
	Wanted bool
	// Clock is the machine's if nil.
	Clock readlease.Clock
	// Reads is how many reads are worth a lease; see readlease.Env.
	Reads int
}

// gated is a log whose slots come once they may be shown, and whose checkpoints are
// stored once the leases before their ends have run out: a member that starts from
// one knows nothing of these.
type gated struct {
	Log
	gate *readlease.Gate
}

// Next implements Source.
func (g gated) Next(ctx context.Context) (revision.Slot, error) { return g.gate.Next(ctx) }

// Reload implements Source.
func (g gated) Reload(ctx context.Context) error { return g.gate.Reload(ctx) }

// SaveCheckpoint implements housekeep.Store. Of what was taken from the log by now,
// the checkpoint covers a part.
func (g gated) SaveCheckpoint(ctx context.Context, segment int64, rev revision.Rev, meta []byte,
	keys func(yield func([]byte) bool) error, pace func(context.Context) error) error {
	if err := g.gate.RanOut(ctx); err != nil {
		return err
	}
	return g.Log.SaveCheckpoint(ctx, segment, rev, meta, keys, pace)
}

// newLease makes the two sides of the read lease: the holder, nil unless it is
// wanted, and the log behind the gate.
func newLease(b *Backend, log Log) (*readlease.Holder, gated) {
	cfg := &b.cfg.ReadLease
	if cfg.Clock == nil {
		cfg.Clock = readlease.MachineClock
	}
	var holder *readlease.Holder
	if cfg.Wanted {
		holder = readlease.NewHolder(readlease.Env{Clock: cfg.Clock, Wake: b.wakeAppend, Permitted: b.leasePermitted,
			Connected: log.Connected, Random: b.cfg.Random, Reads: cfg.Reads})
	}
	gate := readlease.NewGate(log, cfg.Clock, holder.Own)
	if b.cfg.Registerer != nil {
		readlease.Register(b.cfg.Registerer, gate, holder)
	}
	return holder, gated{log, gate}
}

// leasePermitted says whether all members know what a lease is, as of the last look.
func (b *Backend) leasePermitted() bool {
	return b.allKnow(func(m revision.Member) bool { return m.ReadLeases })
}

// allKnow says whether all members know something, as of the last look.
func (b *Backend) allKnow(it func(revision.Member) bool) bool {
	members := b.housekeeper.Members()
	return len(members) > 0 && !slices.ContainsFunc(members, func(m revision.Member) bool { return !it(m) })
}

// wakeAppend has an append loop look for what is due.
func (b *Backend) wakeAppend() { b.proposer.queue.wakeUp() }

// origin says in each batch where it comes from: for `zkine history`, and so that a
// place in the log has a time. The state machine never sees it.
type origin struct {
	writer string
	clock  func() time.Time
	// permitted says whether all members know of it. One that does not would stop
	// at the first batch.
	permitted func() bool
}

// now is that of a batch which is sent now; nil while there is to be none.
func (o *origin) now() *revision.Origin {
	if !o.permitted() {
		return nil
	}
	return &revision.Origin{Written: max(o.clock().UnixMilli(), 1), Writer: o.writer}
}

// originsPermitted says whether all members know what an origin is, as of the last
// look.
func (b *Backend) originsPermitted() bool {
	return !b.cfg.WithoutOrigin && b.allKnow(func(m revision.Member) bool { return m.Origins })
}
