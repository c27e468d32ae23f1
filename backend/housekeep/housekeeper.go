package housekeep

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/throttle"
)

// Config says how the housekeeping is done.
type Config struct {
	// Self is this member's id.
	Self uint64
	// DigestInterval is how often members compare their states; 0 is
	// DefaultDigestInterval.
	DigestInterval time.Duration
	// AutoCompaction says whether the keeper compacts by itself.
	AutoCompaction AutoCompaction
	// ReplayLimit is how many keys comparisons may have looked at since the last
	// checkpoint, which a start would do again; 0 is DefaultReplayLimit.
	ReplayLimit int64
	// Held, if set, tells how many bytes the store holds, those of others than
	// this root included.
	Held func(context.Context) (int64, error)
	// Archive keeps the log outside of the store as well; nil for none.
	Archive Archive
	// Defragmenting is told when a defragmentation begins, and what it returns how it
	// ended; may be nil.
	Defragmenting func() (done func(error))
	// Registerer takes the metrics; nil for none.
	Registerer prometheus.Registerer
	Log        *logrus.Entry
}

// DefaultDigestInterval keeps the cost, one pass over the state in the
// background, well below a percent.
const DefaultDigestInterval = 5 * time.Minute

// Housekeeper does one member's part of the housekeeping. The methods that say so
// are called by the apply loop alone, and wait for nothing but a lock.
type Housekeeper struct {
	cfg     Config
	env     Env
	metrics *metrics

	keeper    keeper
	proof     leaderProof
	check     *corruptCheck
	compactor compactor // the keeper loop's
	physical  *PhysicalCompaction
	replay    replayCost
	// segmentEnds hands the views at the ends of segments to the housekeeping
	// loop; it has room for one. A view in it holds physical compaction.
	segmentEnds chan *state.View
	// wantSegmentEnds is set while they are wanted of a member that may not be the
	// keeper.
	wantSegmentEnds atomic.Bool
	// wishes hands those for a defragmentation to the housekeeping loop.
	wishes wishes
	// floorMoved is the segment in which the compaction floor last rose, or that
	// of the checkpoint from which this zkine has started.
	floorMoved atomic.Int64
	// said keeps warnings from being repeated: segments, ticks and calls may come often.
	said throttle.Lines
	// live is set once the replay is over.
	live atomic.Bool

	ctx     context.Context
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
}

// New returns a Housekeeper that follows what is applied, and does nothing of its
// own before Start. Everything ends with ctx.
func New(ctx context.Context, cfg Config, env Env) *Housekeeper {
	if cfg.DigestInterval <= 0 {
		cfg.DigestInterval = DefaultDigestInterval
	}
	if cfg.ReplayLimit <= 0 {
		cfg.ReplayLimit = DefaultReplayLimit
	}
	if cfg.Defragmenting == nil {
		cfg.Defragmenting = func() func(error) { return func(error) {} }
	}
	h := &Housekeeper{cfg: cfg, env: env, metrics: newMetrics(cfg.Registerer),
		keeper:      keeper{members: env.Members, self: cfg.Self},
		proof:       leaderProof{wanted: make(chan struct{}, 1)},
		check:       newCorruptCheck(cfg.Registerer),
		compactor:   compactor{cfg: cfg.AutoCompaction},
		physical:    newPhysicalCompaction(),
		replay:      replayCost{limit: cfg.ReplayLimit},
		segmentEnds: make(chan *state.View, 1),
		wishes:      wishes{wake: make(chan struct{}, 1)},
	}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	return h
}

// Start begins with the work, once the replay is over.
func (h *Housekeeper) Start() {
	h.live.Store(true)
	h.running.Go(h.digestLoop)
	h.running.Go(h.compactionHashLoop)
	h.running.Go(h.housekeepLoop)
	h.running.Go(h.keeperLoop)
	h.running.Go(h.leaderLoop)
	if h.cfg.Archive != nil {
		h.running.Go(h.archiveLoop)
	}
}

// Close ends all work with a cause, and waits until none is running.
func (h *Housekeeper) Close(cause error) {
	h.cancel(cause)
	h.running.Wait()
}

// Loaded notes that the state begins with a view: the empty one, or that of a
// checkpoint. It is the apply loop's.
func (h *Housekeeper) Loaded(v *state.View) { h.floorMoved.Store(v.Seq().Segment) }

// SegmentEnded notes that the log has moved on to the next segment; end is the
// view at the end of the one before. It is the apply loop's.
func (h *Housekeeper) SegmentEnded(end *state.View) {
	h.replay.segmentEnded()
	if !h.live.Load() || !h.keeper.isSelf() && !h.wantSegmentEnds.Load() {
		return
	}
	select {
	case <-h.segmentEnds: // the newer one serves better than one that is not taken yet
	default:
		h.physical.Hold() // what the view shows must stay
	}
	h.segmentEnds <- end
}

// Applied notes what a slot did, before its requests are answered; view is
// published. It is the apply loop's.
func (h *Housekeeper) Applied(before, view *state.View, applied state.Applied) {
	h.replay.compared.Add(int64(applied.Compared))
	if view.CompactRev() > before.CompactRev() {
		h.floorMoved.Store(view.Seq().Segment)
	}
	if len(applied.Compactions) > 0 && h.live.Load() {
		h.physical.hashes.add(applied.Compactions)
	}
	h.env.Quota.SetSize(h.env.Store.Sizes().Total())
}

// Answered looks whether a slot began a round of digests or brought a report,
// once its requests are answered. It is the apply loop's.
func (h *Housekeeper) Answered(before, view *state.View) { h.observeRound(before, view) }

// Physical is how far compactions have freed memory.
func (h *Housekeeper) Physical() *PhysicalCompaction { return h.physical }
