package inspect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/go-zookeeper/zk"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/recovery"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkmember"
	"github.com/zkine/zkine/revision/zkroot"
	"github.com/zkine/zkine/revision/zksurvey"
)

// Config says what to look at.
type Config struct {
	// Conn is a session, which stays the caller's.
	Conn zkroot.Nodes
	Root string
	// ClusterID is that which the root must hold; 0 for any.
	ClusterID uint64
	// Top is how many prefixes, keys and leases are named, Depth how many parts of a
	// key make its prefix.
	Top, Depth int
	// Replay bounds what is replayed for keys as of now, in bytes of a checkpoint and
	// the log after it as they are unpacked; if there is more, keys are as of the
	// checkpoint.
	Replay int64
	// Open opens the past of the root, for a replay.
	Open recovery.Opener
	// Watchers asks a zkine, by its id, at one of its URLs; nil asks none.
	Watchers func(ctx context.Context, id uint64, urls []string) (watchers, streams int64, err error)
	// Progress hears how far it has come; may be nil.
	Progress func(step string, done, of int64)
}

// inspection is a Run under way.
type inspection struct {
	Config
	layout zkroot.Layout
	reader zkroot.Reader
	survey zksurvey.Survey
	record zkroot.CheckpointRecord
	out    *Report
}

// Run looks at a root. Errors: those of zkroot.Reader's Look; the session's.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	l := zkroot.Layout{Root: cfg.Root}
	i := &inspection{Config: cfg, layout: l, reader: zkroot.NewReader(cfg.Conn, l), survey: zksurvey.New(cfg.Conn, l),
		out: &Report{Time: time.Now().UTC(), Root: cfg.Root}}
	for _, step := range []func(context.Context) error{i.look, i.members, i.checkpoints, i.segments, i.keys} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return i.out, nil
}

func (i *inspection) progress(step string, done, of int64) {
	if i.Progress != nil {
		i.Progress(step, done, of)
	}
}

func (i *inspection) look(ctx context.Context) error {
	i.progress("looking at the root", 0, 0)
	h, err := i.reader.Look(ctx, zkroot.Wanted{Root: i.Root, ClusterID: i.ClusterID})
	if err != nil {
		return err
	}
	i.out.Cluster, i.out.Revision, i.out.Written = h.ClusterID.String(), int64(h.Revision), h.Written.UTC()
	if h.Halt != nil {
		i.out.Halted = fmt.Sprintf("since %s by %s on %s: %s", h.Halt.At.UTC().Format(time.RFC3339), h.Halt.By, h.Halt.Host, h.Halt.Found)
	}
	return nil
}

// fixedZnodes are the root, format, log, stage, pack, checkpoint and members.
const fixedZnodes = 7

// members lists the zkines, and asks each how many watchers it has.
func (i *inspection) members(ctx context.Context) error {
	listed, err := zkmember.List(ctx, i.Conn, i.layout, func(string) {})
	if err != nil {
		return err
	}
	i.out.Members = make([]Member, len(listed))
	i.out.Sizes.Znodes = fixedZnodes + int64(len(listed))
	var group zkclient.Group
	for n, m := range listed {
		out := &i.out.Members[n]
		*out = Member{Name: m.Name, ID: strconv.FormatUint(m.ID, 16), URLs: m.ClientURLs, Keeper: n == 0}
		if i.Watchers == nil {
			out.Unknown = "it was not asked"
			continue
		}
		group.Go(func() {
			watchers, streams, err := i.Watchers(ctx, m.ID, m.ClientURLs)
			if err != nil {
				out.Unknown = err.Error()
				return
			}
			out.Watchers, out.Streams = &watchers, &streams
		})
	}
	group.Wait()
	return nil
}

// checkpoints looks at the two that are kept, and measures all that lies beside them.
func (i *inspection) checkpoints(ctx context.Context) error {
	i.progress("measuring checkpoints", 0, 0)
	record, written, err := i.reader.CheckpointAge(ctx)
	if err != nil {
		return err
	}
	i.record = record
	if record.Latest != nil {
		i.out.Checkpoint = checkpointOf(record.Latest)
		i.out.Checkpoint.Written = &written
	}
	if record.Previous != nil && !record.Alone() {
		i.out.Previous = checkpointOf(record.Previous)
	}
	attempts, err := i.Conn.Children(ctx, i.layout.Checkpoint())
	if err != nil {
		return err
	}
	looked := int64(0)
	for _, attempt := range attempts {
		n, bytes, err := i.survey.Folder(ctx, i.layout.Attempt(attempt), func(n int) {
			looked += int64(n)
			i.progress("measuring checkpoints", looked, 0)
		})
		if err != nil {
			return err
		}
		i.out.Sizes.Checkpoints += bytes
		i.out.Sizes.Znodes += int64(n) + 1
	}
	return nil
}

func checkpointOf(ref *zkroot.CheckpointRef) *Checkpoint {
	return &Checkpoint{Segment: ref.Segment, Revision: int64(ref.Revision), Bytes: ref.Bytes}
}

// segments measures the log.
func (i *inspection) segments(ctx context.Context) error {
	refs, err := i.reader.Segments(ctx)
	if err != nil {
		return err
	}
	open, err := i.reader.Open(ctx)
	if err != nil {
		return err
	}
	for n, ref := range refs {
		i.progress("measuring the log", int64(n), int64(len(refs)))
		s, err := i.survey.Segment(ctx, ref, nil)
		if errors.Is(err, zk.ErrNoNode) {
			continue // a keeper has removed it
		}
		if err != nil {
			return err
		}
		i.out.Segments = append(i.out.Segments, Segment{Number: ref.Number, Open: ref.Number == open.Number, Slots: s.Slots, Znodes: s.Znodes(),
			LogBytes: s.LogBytes, PackedBytes: s.PackedBytes, StagedBytes: s.StagedBytes, Written: s.Written,
			Covered: i.record.Latest != nil && ref.Number <= i.record.Latest.Segment})
		i.out.Sizes.Log += s.LogBytes
		i.out.Sizes.Packed += s.PackedBytes
		i.out.Sizes.Staged += s.StagedBytes
		i.out.Sizes.Znodes += int64(s.Znodes()) + 3 // and its three folders
	}
	return nil
}

// keys counts keys and leases: of the log replayed, if that is small, else of the
// newest checkpoint.
func (i *inspection) keys(ctx context.Context) error {
	newest, err := i.reader.Newest(ctx)
	if err != nil {
		return err
	}
	raw := int64(0)
	if newest != nil {
		for _, c := range newest.Manifest.Chunks {
			raw += int64(c.RawLength)
		}
		i.out.Checkpoint.RawBytes, i.out.Checkpoint.Chunks = raw, len(newest.Manifest.Chunks)
	}
	after := int64(0)
	for _, s := range i.out.Segments {
		if !s.Covered {
			after += s.Bytes()
		}
	}
	switch {
	case i.Open != nil && raw+logRatio*after <= i.Replay:
		return i.replayed(ctx)
	case newest == nil:
		i.out.KeysUnknown = fmt.Sprintf("there is no checkpoint yet, and %d bytes of log are too many to be replayed; raise --replay-bytes", after)
		return nil
	}
	done := int64(0)
	return i.count(newest.Meta, i.chunks(ctx, newest), false, func(n int) {
		done += int64(n)
		i.progress("reading the checkpoint", done, raw)
	})
}

// logRatio is how much larger the log is than what is stored of it, about.
const logRatio = 4

// replayed counts what the log leads to.
func (i *inspection) replayed(ctx context.Context) error {
	i.progress("replaying the log", 0, 0)
	reached, err := recovery.At(ctx, i.Open, recovery.Until{})
	if err != nil {
		return err
	}
	v := reached.View
	i.out.Revision = max(i.out.Revision, int64(v.Rev()))
	meta, err := v.CheckpointMeta()
	if err != nil {
		return err
	}
	var failed error
	chunks := func(yield func([]byte, error) bool) {
		if failed = v.CheckpointKeys(func(chunk []byte) bool { return yield(chunk, nil) }); failed != nil {
			yield(nil, failed)
		}
	}
	return i.count(meta, chunks, true, nil)
}

func (i *inspection) chunks(ctx context.Context, newest *zkroot.NewestCheckpoint) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, c := range newest.Manifest.Chunks {
			data, err := i.reader.Chunk(ctx, c)
			if err != nil {
				err = i.reader.ReplacedOrLost(ctx, newest.Record.Latest, err)
				if errors.Is(err, zk.ErrNoNode) {
					err = errors.New("a newer checkpoint has replaced the one that was read; run this again")
				}
			}
			if !yield(data, err) || err != nil {
				return
			}
		}
	}
}

// count counts a state that is laid out as a checkpoint.
func (i *inspection) count(meta []byte, chunks iter.Seq2[[]byte, error], now bool, progress func(int)) error {
	var m recordpb.CheckpointMeta
	if err := proto.Unmarshal(meta, &m); err != nil {
		return fmt.Errorf("%w: the meta of a checkpoint: %w", revision.ErrCorrupt, err)
	}
	leases, attached := map[int64]*recordpb.CheckpointLease{}, map[int64]int64{}
	for _, l := range m.Leases {
		leases[l.Id], attached[l.Id] = l, 0
	}
	c := newCounting(i.Depth, i.Top, attached)
	if err := c.read(chunks, progress); err != nil {
		return err
	}
	i.out.Keys = c.result()
	i.out.Keys.Revision, i.out.Keys.Newest = m.Revision, now
	i.out.CompactRevision = max(0, m.CompactRevision)
	i.out.Leases = leaseTable(leases, attached, i.Top)
	for _, a := range m.Alarms {
		if name := a.Alarm.String(); !slices.Contains(i.out.Alarms, name) {
			i.out.Alarms = append(i.out.Alarms, name)
		}
	}
	return nil
}
