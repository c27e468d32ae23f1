package transfer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkseed"
)

// ErrDiffers says that what was read back from the root is not what the source holds.
var ErrDiffers = errors.New("transfer: the root does not hold what the source does")

// Progress hears how far a Seed has come. Its methods are called by one goroutine at a
// time.
type Progress interface {
	// Wrote is told after each chunk, with the bytes of keys and values in it.
	Wrote(bytes int64)
	// Verifying is told once all is written: so many bytes are to be verified in all.
	Verifying(bytes int64)
	// Verified is told after that, of what was read back since it was told last.
	Verified(bytes int64)
}

// Seeded is what Seed made.
type Seeded struct {
	zkseed.Seeded
	Revision, Compact revision.Rev
	// Keys are those that exist at Revision, and Hash is what HashKV answers there.
	Keys int
	Hash uint32
}

// Seed has a root begin with a state. source names the state: the same name must mean
// the same bytes (see zkseed.Seeding). Before the last step all is read back from
// ZooKeeper and judged as a state, whose HashKV must be the source's, if that is known;
// progress may be nil. Errors: those of zkseed.Seed, ErrDiffers,
// state.ErrBadCheckpoint: what the source holds cannot be a state. After an error there
// is no root, and the next Seed goes on.
func Seed(ctx context.Context, cfg zkseed.Config, source string, s *State, progress Progress) (*Seeded, error) {
	if progress == nil {
		progress = silent{}
	}
	heard := &tally{to: progress}
	out := &Seeded{Revision: s.Revision, Compact: s.Compact}
	made, err := zkseed.Seed(ctx, cfg, &zkseed.Seeding{
		Source: source, Revision: s.Revision, Meta: s.Meta,
		Chunks: func(yield func([]byte) bool) error { return s.Chunks(ctx, yield) },
		Wrote:  heard.wrote, Written: heard.written,
		Verify: func(ctx context.Context, cp *revision.Checkpoint) error { return out.verify(ctx, s, cp, heard) },
	})
	if err != nil {
		return nil, err
	}
	out.Seeded = *made
	return out, nil
}

// Rehearse finds out whether Seed would make a state of it, in memory: it writes
// nothing, and reads the source to its end. Errors: those of Seed.
func Rehearse(ctx context.Context, s *State, progress Progress) (*Seeded, error) {
	if progress == nil {
		progress = silent{}
	}
	heard := &tally{to: progress}
	out := &Seeded{Revision: s.Revision, Compact: s.Compact}
	cp := &revision.Checkpoint{Meta: s.Meta, Chunks: func(ctx context.Context) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			failed := s.Chunks(ctx, func(chunk []byte) bool {
				heard.wrote(len(chunk))
				out.Chunks++
				return yield(chunk, nil)
			})
			if failed != nil {
				yield(nil, failed)
			}
		}
	}}
	return out, out.verify(ctx, s, cp, heard)
}

// verify judges what was read back, as each zkine will at its start.
func (out *Seeded) verify(ctx context.Context, s *State, cp *revision.Checkpoint, heard *tally) error {
	check := Check(unchecked{})
	if s.Check != nil {
		check = s.Check()
	}
	judged, err := state.Judge(cp.Meta, func(yield func([]byte, error) bool) {
		for chunk, err := range cp.Chunks(ctx) {
			if !yield(chunk, err) {
				return
			}
			heard.verified(len(chunk))
		}
	}, check.Add)
	if err != nil {
		return err
	}
	if judged.At != s.Revision || judged.CompactRev != s.Compact || s.Hash != nil && *s.Hash != judged.Hash {
		return fmt.Errorf("%w: revision %d, compacted at %d, hash %d", ErrDiffers, judged.At, judged.CompactRev, judged.Hash)
	}
	out.Keys, out.Hash = judged.Keys, judged.Hash
	return check.Done()
}

// unchecked is no Check.
type unchecked struct{}

func (unchecked) Add(*mvccpb.KeyValue) {}
func (unchecked) Done() error          { return nil }

// tally passes on what a seeding tells. What is verified while later chunks are being
// written is told when those are written.
type tally struct {
	to Progress

	mu          sync.Mutex
	all, early  int64
	isVerifying bool
}

func (t *tally) wrote(raw int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all += int64(raw)
	t.to.Wrote(int64(raw))
}

func (t *tally) written() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.isVerifying = true
	t.to.Verifying(t.all)
	t.to.Verified(t.early)
}

func (t *tally) verified(raw int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.isVerifying {
		t.early += int64(raw)
		return
	}
	t.to.Verified(int64(raw))
}

// silent is no Progress.
type silent struct{}

func (silent) Wrote(int64)     {}
func (silent) Verifying(int64) {}
func (silent) Verified(int64)  {}
