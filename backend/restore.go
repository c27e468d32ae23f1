package backend

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// loader makes machines from the log's newest checkpoint.
type loader struct {
	log     Source
	startup *Startup
	logger  *logrus.Entry
}

// load makes a machine from the log's checkpoint, or an empty one if the log still
// begins with the first slot.
func (l loader) load(ctx context.Context) (*state.Machine, error) {
	for {
		cp, found := l.log.Checkpoint()
		if !found {
			return state.New(), nil
		}
		began := time.Now()
		m, err := state.Restore(cp.Meta, l.counted(cp, cp.Chunks(ctx)))
		if err == nil {
			v := m.View()
			l.logger.WithFields(logrus.Fields{"segment": cp.Segment, "revision": v.Rev(), "keys": v.NumKeys(),
				"took": time.Since(began).Round(time.Millisecond)}).Info("loaded a checkpoint")
			return m, nil
		}
		if errors.Is(err, state.ErrBadCheckpoint) || errors.Is(err, revision.ErrCorrupt) || ctx.Err() != nil {
			return nil, fmt.Errorf("load the checkpoint of segment %d: %w; restore <root>/checkpoint, with all under it, from a backup of ZooKeeper", cp.Segment, err)
		}
		// The connection was lost, or the checkpoint was replaced by a newer one
		// and swept while it was read.
		l.logger.WithError(err).Warn("the checkpoint could not be read to its end: the connection was lost, or a newer one has taken its place; trying again")
		if err := l.log.Reload(ctx); err != nil {
			return nil, err
		}
	}
}

const mib = 1 << 20

// counted tells how far a checkpoint was loaded.
func (l loader) counted(cp *revision.Checkpoint, chunks iter.Seq2[[]byte, error]) iter.Seq2[[]byte, error] {
	l.startup.begin("loading the checkpoint", cp.RawBytes/mib, "MiB")
	return func(yield func([]byte, error) bool) {
		loaded := int64(0)
		for chunk, err := range chunks {
			if !yield(chunk, err) {
				return
			}
			before := loaded / mib
			loaded += int64(len(chunk))
			l.startup.add(loaded/mib - before)
		}
	}
}

// reload goes on from a checkpoint, when this zkine was away for so long that
// the log that it needs is gone. The state never goes back.
func (a *applier) reload(ctx context.Context) error {
	a.checkpoint.logger.Warn("this zkine was away for longer than the log reaches back; going on from the newest checkpoint")
	if err := a.log.Reload(ctx); err != nil {
		return err
	}
	m, err := a.checkpoint.load(ctx)
	if err != nil {
		return err
	}
	old, v := a.view.Load(), m.View()
	if v.Rev() < old.Rev() || v.Seq().Before(old.Seq()) {
		return fmt.Errorf("%w: the newest checkpoint is at revision %d, this zkine was at %d", revision.ErrLogLost, v.Rev(), old.Rev())
	}
	// Whether the log went back while this zkine was away, its slots do not tell
	// any more.
	if !v.CanSucceed(old) {
		return fmt.Errorf("%w: the newest checkpoint, at revision %d, has another past than this zkine, which was at %d; see docs/operations.md, \"The log went back\"",
			revision.ErrLogLost, v.Rev(), old.Rev())
	}
	a.effects.Skipping()
	a.start(m)
	a.log.Applied(v.Seq(), v.Rev())
	// What became of batches in the part that was skipped is not known here.
	a.pending.failAll(fmt.Errorf("%w: this zkine was left behind", revision.ErrUnknown))
	return nil
}
