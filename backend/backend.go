package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/backend/lessor"
	"github.com/zkine/zkine/backend/metrics"
	"github.com/zkine/zkine/backend/pace"
	"github.com/zkine/zkine/backend/readlease"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/watch"
	"github.com/zkine/zkine/revision"
)

var (
	// ErrClosed says that the backend was closed.
	ErrClosed = errors.New("backend: closed")
	// ErrTooManyRequests says that more requests wait to be appended than
	// makes sense to keep.
	ErrTooManyRequests = errors.New("backend: too many requests")
	// ErrInvalidAuthToken says that a token stands for no user, or not any more.
	ErrInvalidAuthToken = errors.New("backend: invalid auth token")
)

// Config says how to run a backend.
type Config struct {
	// Member is what this zkine announces of itself.
	Member revision.Member
	// MaxInFlight is how many appends may be under way; 0 is
	// DefaultMaxInFlight.
	MaxInFlight int
	// ProgressNotifyInterval is how often an idle watcher that asked for it
	// is told the revision; 0 is DefaultProgressNotifyInterval.
	ProgressNotifyInterval time.Duration
	// DigestInterval is how often members compare their states; 0 is
	// housekeep.DefaultDigestInterval.
	DigestInterval time.Duration
	// ReplayLimit is how many keys comparisons may have looked at since the last
	// checkpoint; 0 is housekeep.DefaultReplayLimit.
	ReplayLimit int64
	// AutoCompaction says whether the keeper compacts by itself.
	AutoCompaction housekeep.AutoCompaction
	// QuotaBytes bounds what the root may hold in ZooKeeper; negative for no
	// bound, 0 is DefaultQuotaBytes.
	QuotaBytes int64
	// Held, if set, tells how many bytes the store holds, those of others than
	// this root included: they count against the quota as well.
	Held func(context.Context) (int64, error)
	// Archive keeps the log outside of ZooKeeper as well; nil for none.
	Archive housekeep.Archive
	// Auth is how clients prove who they are.
	Auth AuthConfig
	// ReadLease is whether reads are answered without a barrier.
	ReadLease ReadLease
	// TempDir is the folder for snapshots, while they are sent; empty for the
	// system's folder for temporary files.
	TempDir string
	// Startup is told how far Open has come; may be nil.
	Startup *Startup
	// Clock says when a batch was written, for people: nothing else depends on it.
	// nil is time.Now.
	Clock func() time.Time
	// WithoutOrigin has batches not say when and by whom they were written.
	WithoutOrigin bool
	// Random is where nonces and lease ids come from: a source that never fails
	// and may be read by many at once; nil is crypto/rand's.
	Random io.Reader
	// Published, if set, is told each view once it is published, by the
	// goroutine that applies: it must return soon, and call nothing of the
	// backend's that waits.
	Published func(*state.View)
	// Registerer takes the backend's metrics; nil for none.
	Registerer prometheus.Registerer
	Log        *logrus.Entry
}

const (
	// DefaultMaxInFlight is as good as one on loopback, nearly, and meant for
	// ensembles across a network; see docs/performance.md.
	DefaultMaxInFlight = 2
	// DefaultProgressNotifyInterval is etcd's.
	DefaultProgressNotifyInterval = 10 * time.Minute
)

// Backend is the replicated state machine: requests go through the log, reads
// and watches are served from the state that applying the log has made.
type Backend struct {
	*calls
	authService

	cfg Config
	// info, members and closeLog are what is left of the log besides what its
	// other users hold.
	info     Info
	members  Membership
	closeLog func() error

	applier    *applier
	serving    *serving
	watches    *watch.Hub
	lessor     *lessor.Lessor
	keepAlives *keepAlives
	quota      *quota
	metrics    *metrics.Metrics
	// housekeeper does what is done beside the requests of clients.
	housekeeper *housekeep.Housekeeper
	// snapshots and hasher show the state as a database of etcd's.
	snapshots *etcddb.Snapshots
	hasher    *etcddb.Hasher
	// live is set once the replay is over.
	live atomic.Bool

	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	// failed is closed when the log can no longer be trusted.
	failed   chan struct{}
	failOnce sync.Once
	failErr  error
}

// setDefaults fills in what was left out.
func (cfg *Config) setDefaults() {
	if cfg.MaxInFlight <= 0 {
		cfg.MaxInFlight = DefaultMaxInFlight
	}
	if cfg.ProgressNotifyInterval <= 0 {
		cfg.ProgressNotifyInterval = DefaultProgressNotifyInterval
	}
	if cfg.Startup == nil {
		cfg.Startup = new(Startup)
	}
	if cfg.QuotaBytes == 0 {
		cfg.QuotaBytes = DefaultQuotaBytes
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Published == nil {
		cfg.Published = func(*state.View) {}
	}
	if cfg.Log == nil {
		cfg.Log = logrus.NewEntry(logrus.StandardLogger())
	}
}

// Open starts a backend on a log that stands before its first slot, replays
// it, joins the members and returns once it can serve. The log is the
// backend's from then on, and closed with it, also on an error.
func Open(ctx context.Context, log Log, cfg Config) (*Backend, error) {
	cfg.setDefaults()
	cfg.Member.ReadLeases, cfg.Member.Origins = true, true
	b := &Backend{cfg: cfg, info: log, members: log, closeLog: log.Close, failed: make(chan struct{}), metrics: metrics.New(cfg.Registerer),
		quota: newQuota(cfg.QuotaBytes)}
	b.calls = &calls{auth: newAuthenticator(cfg.Auth), view: new(atomic.Pointer[state.View]), logger: cfg.Log}
	eager := eagerly(log)
	lease, behind := newLease(b, log)
	b.lease, log = lease, behind
	b.authService = authService{calls: b.calls, failedLogins: failedLogins()}
	b.serving = newServing(log, b.failure, b.observeLag, func(ctx context.Context) error { return b.reads.wait(ctx) })
	b.ctx, b.cancel = context.WithCancelCause(context.Background())
	b.snapshots = etcddb.NewSnapshots(b.ctx, etcddb.Config{Source: b.shown(), Dir: cfg.TempDir, Log: cfg.Log})
	b.hasher = etcddb.NewHasher()
	b.housekeeper = newHousekeeper(b, log)
	b.lessor = lessor.New(log.SessionTimeout())
	checkpoint := loader{log, cfg.Startup, cfg.Log}
	machine, err := checkpoint.load(ctx)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	b.watches = watch.NewHub(b.view.Load, machine.View().Rev(), cfg.ProgressNotifyInterval)
	b.applier = &applier{mu: readlease.NewLock(), log: log, slots: behind.gate, checkpoint: checkpoint, view: b.view, pending: newPending(func(batch *passage) { b.serving.served(); b.proposer.landed(batch) }),
		applied: new(applyWait), lease: b.lease, effects: applyEffects{b}, metrics: b.metrics, physical: b.housekeeper.Physical()}
	b.applier.start(machine)
	b.reads = newReads(b.ctx, log, b.applier.applied, b.lessor.QuorumWrite, b.serving.served, b.metrics)
	b.reads.eager = eager
	queue := newQueue(cfg.MaxInFlight)
	b.keepAlives = newKeepAlives(b.ctx, queue)
	b.proposer = &proposer{ctx: b.ctx, log: log, eager: eager, applyOwn: b.applier.applyOwn, queue: queue,
		pace: pace.New(), pending: b.applier.pending, reads: b.reads, lease: b.lease, origin: origin{cfg.Member.Name, cfg.Clock, b.originsPermitted},
		quorumWrite: b.lessor.QuorumWrite, random: cfg.Random, metrics: b.metrics, logger: cfg.Log}
	b.showState(log)
	for range cfg.MaxInFlight {
		b.spawn(func() { b.proposer.appendLoop(b.ctx) })
	}
	b.spawn(func() { b.reads.loop(b.ctx) })
	b.spawn(func() { b.watches.Run(b.ctx) })
	if err := b.catchUp(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	b.live.Store(true)
	b.metrics.Serving()
	b.spawn(func() { b.serving.loop(b.ctx) })
	b.housekeeper.Start()
	return b, nil
}

// catchUp starts the replay, waits for it and announces this zkine.
func (b *Backend) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := b.onFailure(cancel)
	defer stop()
	began := time.Now()
	slots, err := b.applier.log.Backlog(ctx)
	if err != nil {
		return fmt.Errorf("look how long the log is: %w", err)
	}
	b.cfg.Startup.begin("replaying the log", slots, "slots")
	b.spawn(func() { b.applier.loop(b.ctx) })
	if err := b.reads.wait(ctx); err != nil {
		return fmt.Errorf("replay the log: %w", err)
	}
	v := b.view.Load()
	b.cfg.Log.WithFields(logrus.Fields{
		"revision": v.Rev(), "keys": v.NumKeys(), "log-position": v.Seq().String(),
		"took": time.Since(began).Round(time.Millisecond),
	}).Info("replayed the log")
	b.cfg.Startup.begin(fmt.Sprintf("joining as member %q", b.cfg.Member.Name), 0, "")
	if err := b.members.Join(ctx, b.cfg.Member); err != nil {
		return fmt.Errorf("join as member %q: %w", b.cfg.Member.Name, err)
	}
	b.housekeeper.Refresh(ctx)
	return nil
}

// onFailure cancels when the backend fails; stop ends that.
func (b *Backend) onFailure(cancel context.CancelCauseFunc) (stop func()) {
	done := make(chan struct{})
	b.spawn(func() {
		select {
		case <-b.failed:
			cancel(b.failErr)
		case <-done:
		}
	})
	return func() { close(done) }
}

func (b *Backend) spawn(f func()) {
	b.wg.Add(1)
	go func() {
		defer b.wg.Done()
		f()
	}()
}

// fail ends everything that waits, for good: with the log's error, or because
// of Close.
func (b *Backend) fail(err error) {
	b.failOnce.Do(func() {
		b.failErr = err
		close(b.failed)
		b.cancel(err)
		b.applier.stopped.Store(true)
		b.proposer.queue.close(err)
		b.proposer.pending.close(err)
		b.applier.applied.close(err)
		b.reads.close(err)
		b.watches.Close(err)
	})
}

// Failed is closed when the log can no longer be trusted, or by Close. The
// reason is Ready's error, which the backend does not log.
func (b *Backend) Failed() <-chan struct{} { return b.failed }

func (b *Backend) failure() error {
	select {
	case <-b.failed:
		return b.failErr
	default:
		return nil
	}
}

// Close ends all that waits with ErrClosed, then the log. Nothing of the
// backend runs when it returns.
func (b *Backend) Close() error {
	b.fail(ErrClosed)
	b.snapshots.Close(ErrClosed)
	b.housekeeper.Close(ErrClosed)
	b.wg.Wait()
	return b.closeLog()
}
