package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/throttle"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// Config says what is archived, and where.
type Config struct {
	// Dialer opens the session on which the root is read.
	Dialer zkclient.Dialer
	// Root is the znode that holds everything; ClusterID the only cluster to archive,
	// 0 for any.
	Root      string
	ClusterID uint64
	Store     Store
	// Interval is how much of what was acknowledged may be missing, at most; 0 is
	// DefaultInterval.
	Interval time.Duration
	// Retention says what goes again.
	Retention Retention
	// TrimWait is for how long the log may be kept for an archive that lags; 0 is
	// DefaultTrimWait.
	TrimWait time.Duration
	// Pace is called after each object that was written, with how long it took to read,
	// make and write it, and may wait; nil for nothing.
	Pace func(ctx context.Context, took time.Duration) error
	// Clock is time.Now if nil.
	Clock func() time.Time
	// Registerer takes the metrics; nil for none.
	Registerer prometheus.Registerer
	Log        *logrus.Entry
}

const (
	// DefaultInterval is below a minute, and makes some thousands of objects a day.
	DefaultInterval = 30 * time.Second
	// DefaultTrimWait outlasts a short outage of an object store.
	DefaultTrimWait = time.Hour
)

// Archiver adds to an archive what a root's log has got. Several may do so at once:
// what they write is the same. Any goroutine may call its methods; one round is made at
// a time.
type Archiver struct {
	cfg     Config
	metrics *metrics

	// turn is of those who make a round: it has room for one.
	turn chan struct{}
	// What follows is that one's. conn is the session; nil while there is none. place is what the archive has as far
	// as it is known, nil while that is not.
	conn  zkclient.Conn
	place *Place
	// at is the last place that is in the archive, and nonce that slot's.
	at    revision.Seq
	nonce revision.Nonce
	// segment is that of at; its name tells it from another log's.
	segment string
	// looked is when it was looked what the archive has.
	looked time.Time
	// paced is when Pace returned last, or the round began.
	paced time.Time

	lag  lag
	said throttle.Lines
}

// New returns an archiver that has done nothing yet.
func New(cfg Config) *Archiver {
	if cfg.Interval <= 0 {
		cfg.Interval = DefaultInterval
	}
	if cfg.TrimWait <= 0 {
		cfg.TrimWait = DefaultTrimWait
	}
	if cfg.Pace == nil {
		cfg.Pace = func(context.Context, time.Duration) error { return nil }
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = logrus.NewEntry(logrus.StandardLogger())
	}
	a := &Archiver{cfg: cfg, turn: make(chan struct{}, 1)}
	a.metrics = newMetrics(cfg.Registerer, func() float64 { return a.Lag().Seconds() })
	return a
}

// Close ends the session. A later Round begins with another.
func (a *Archiver) Close() {
	a.turn <- struct{}{}
	defer func() { <-a.turn }()
	a.forget()
}

// forget has the next round look at everything.
func (a *Archiver) forget() {
	if a.conn != nil {
		a.conn.Close()
	}
	a.conn, a.place = nil, nil
}

// Report is what a round has done, and what the archive has then.
type Report struct {
	// Cluster is the place's name.
	Cluster string
	// Slots, Checkpoints, Objects and Bytes are what was written.
	Slots, Checkpoints, Objects, Bytes int64
	// Removed is how many objects went by the retention.
	Removed int64
	// At is the last place that is in the archive, Written when it was written; zero if
	// that is not known.
	At      revision.Seq
	Written time.Time
	// Hole is a part of the log that was gone from the root before it was archived: nil
	// if there is none that this round has found.
	Hole error
}

// Round archives all that the root's log has by now, and its checkpoints; then it removes
// what is not to be retained. What it has done stays done if it fails. Errors: ErrForeign,
// ErrNewerFormat, ErrDiverged, revision.ErrHalted and others of a root that cannot be
// served; those of the store and of the session, after which it may be tried again.
func (a *Archiver) Round(ctx context.Context) (Report, error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return Report{}, context.Cause(ctx)
	}
	began := a.cfg.Clock()
	a.paced = began
	r := &round{Archiver: a, ctx: ctx}
	var err error
	for range roundTries {
		if err = r.run(); !errors.Is(err, errAgain) {
			break
		}
		r.again = true
	}
	a.lag.note(began, err)
	a.metrics.round(ctx, r.report, err)
	if a.place != nil {
		r.report.Objects, r.report.Bytes = a.place.objects-r.before.objects, a.place.bytes-r.before.bytes
		r.report.Cluster, r.report.At = a.place.Cluster(), a.at
		_, r.report.Written = a.place.Newest()
	}
	if err != nil {
		a.forget()
	}
	return r.report, err
}

// lookPeriod is after how long it is looked again what the archive has: someone may have
// removed objects, or a rule of the store.
const lookPeriod = time.Hour

// roundTries is how often a round begins again because a keeper has removed what it was
// about to read.
const roundTries = 5

var errAgain = errors.New("archive: the root has changed")

// round is a Round under way.
type round struct {
	*Archiver
	ctx    context.Context
	reader zkroot.Reader
	layout zkroot.Layout
	report Report
	// again says that a keeper is removing what this round began to read.
	again bool
	// before is what there was in the archive.
	before struct{ objects, bytes int64 }
}

func (r *round) run() error {
	if err := r.begin(); err != nil {
		return r.judge(err)
	}
	if r.report.Slots+r.report.Checkpoints == 0 {
		r.before.objects, r.before.bytes = r.place.Objects()
	}
	record, _, err := r.reader.Checkpoints(r.ctx)
	if err != nil {
		return r.judge(err)
	}
	segments, open, err := r.segments()
	if err != nil {
		return r.judge(err)
	}
	if err := r.continues(segments, open, record); err != nil {
		return r.judge(err)
	}
	if err := r.archiveLog(segments); err != nil {
		return r.judge(err)
	}
	if err := r.archiveNewest(record); err != nil {
		return r.judge(err)
	}
	return r.retain(record)
}

// judge makes errAgain of an error that comes of a keeper's work.
func (r *round) judge(err error) error {
	if errors.Is(err, zk.ErrNoNode) || errors.Is(err, zkroot.ErrMissing) {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	return err
}

// begin looks at the root and at the archive, if that was not done yet.
func (r *round) begin() (err error) {
	r.layout = zkroot.Layout{Root: r.cfg.Root}
	if r.conn != nil {
		select {
		case <-r.conn.Done():
			r.forget()
		default:
		}
	}
	if r.conn == nil {
		if r.conn, err = r.cfg.Dialer.Dial(r.ctx); err != nil {
			r.conn = nil
			return err
		}
	}
	r.reader = zkroot.NewReader(r.conn, r.layout)
	// A barrier, and what the root is.
	holding, err := r.reader.Look(r.ctx, zkroot.Wanted{Root: r.cfg.Root, ClusterID: r.cfg.ClusterID})
	if err != nil {
		return err
	}
	if holding.Halt != nil {
		return fmt.Errorf("%w: %s is not archived until that is decided", revision.ErrHalted, r.cfg.Root)
	}
	id := placeID{cluster: uint64(holding.ClusterID)}
	if holding.Accepted != nil {
		id.accepted = holding.Accepted.Number
	}
	if now := r.cfg.Clock(); r.place == nil || r.place.id != id || now.Sub(r.looked) >= lookPeriod {
		r.looked = now
		return r.findEnd(id)
	}
	return nil
}

// put stores an object, or finds that it is there.
func (a *Archiver) put(ctx context.Context, name string, data []byte) error {
	err := a.cfg.Store.Put(ctx, name, data)
	if err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err == nil {
		a.metrics.put(len(data))
		a.place.objects, a.place.bytes = a.place.objects+1, a.place.bytes+int64(len(data))
	}
	err = a.cfg.Pace(ctx, a.cfg.Clock().Sub(a.paced))
	a.paced = a.cfg.Clock()
	return err
}

// Gently is a Pace for an archiver beside clients: it rests for as long as it has worked,
// at most a second.
func Gently(ctx context.Context, took time.Duration) error {
	select {
	case <-time.After(min(took, time.Second)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
