package zkseed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// Errors of Seed.
var (
	// ErrNotEmpty says that there is a zkine's root already.
	ErrNotEmpty = errors.New("revision: the root is not empty")
	// ErrNoRoom says that there is more to write than Config.Room.
	ErrNoRoom = errors.New("revision: what is to be written does not fit")
	// ErrOvertaken says that another seeding of the same root has begun since.
	ErrOvertaken = errors.New("revision: another transfer has taken the root over")
)

// Config says where the root is to be.
type Config struct {
	// Dialer opens sessions. It says for how long to try: a seeding dials again when
	// a connection is lost.
	Dialer zkclient.Dialer
	// Root is the znode that is to hold everything; see zkroot.CheckRoot.
	Root string
	// MaxRequest bounds each request to ZooKeeper, in bytes; 0 is
	// zkroot.DefaultMaxRequest.
	MaxRequest int
	// Room bounds what is written, in bytes, but for a few chunks under way; 0 is no
	// bound. What an earlier attempt has written does not count.
	Room int64
	// By is who does it, for people who find it unfinished.
	By string
	// Random is where the cluster id and names come from; nil is crypto/rand's.
	Random io.Reader
	Log    *logrus.Entry
}

// Seeding is what a root is to begin with.
type Seeding struct {
	// Source names it, for people and for a seeding that is begun again: the same
	// name must mean the same meta and the same chunks.
	Source string
	// Revision is that of the state.
	Revision revision.Rev
	// Meta is a recordpb.CheckpointMeta, at the place Place.
	Meta []byte
	// Chunks yields the chunks of keys, in order, until yield returns false. Their
	// bytes belong to yield. It is called once; an error of it ends all.
	Chunks func(yield func([]byte) bool) error
	// Wrote is called after each chunk, with the bytes that it holds, by one goroutine
	// at a time; nil for none.
	Wrote func(raw int)
	// Written is called when all chunks are written; nil for none.
	Written func()
	// Verify is asked with the checkpoint as it is read back, while later chunks are
	// still being written; the last step awaits it. Its Chunks can be had once, and its
	// RawBytes is 0: not known yet. An error of it ends all; nil for none.
	Verify func(context.Context, *revision.Checkpoint) error
}

// Place is the one at which a seeded state stands: after the last slot of an empty
// segment. The next slot is the first of segment 2.
var Place = revision.Seq{Segment: 1}

// Seeded is what was made.
type Seeded struct {
	ClusterID zkroot.ClusterID
	// Chunks are how many there are, Stored the bytes that they take in ZooKeeper,
	// and Taken those of them that an earlier attempt had written.
	Chunks        int
	Stored, Taken int64
}

// Check says whether Seed would begin: nil if there is nothing at the root, or what a
// seeding that was cut off has left. Errors: as Seed's.
func Check(ctx context.Context, cfg Config) error {
	s, err := newSeeder(ctx, &cfg, &Seeding{})
	if err != nil {
		return err
	}
	defer s.session.close()
	return s.session.do(ctx, func(conn zkclient.Conn) error { return s.admit(ctx, conn) })
}

// Unfinished is the source's name of a seeding that was cut off; "" if there is none.
func Unfinished(ctx context.Context, cfg Config) (source string, err error) {
	s, err := newSeeder(ctx, &cfg, &Seeding{})
	if err != nil {
		return "", err
	}
	defer s.session.close()
	err = s.session.do(ctx, func(conn zkclient.Conn) error {
		u, _, err := zkroot.NewReader(conn, s.layout).Unfinished(ctx)
		if errors.Is(err, zk.ErrNoNode) {
			return nil
		}
		source = u.Source
		return err
	})
	return source, err
}

// Seed makes the root. Errors: ErrNotEmpty, ErrOvertaken, ErrForeignRoot,
// ErrForbidden, ErrRefused, ErrQuota, ErrNoRoom, the dialer's, those of Chunks and Verify, and the
// cause of ctx's end. After any of them there is no root, and Seed may be called
// again.
func Seed(ctx context.Context, cfg Config, seeding *Seeding) (*Seeded, error) {
	s, err := newSeeder(ctx, &cfg, seeding)
	if err != nil {
		return nil, err
	}
	defer s.session.close()
	if err := s.session.do(ctx, func(conn zkclient.Conn) error { return s.begin(ctx, conn) }); err != nil {
		return nil, err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	queue := make(chan placed, queued)
	group.Go(func() error { return s.write(groupCtx, queue) })
	group.Go(func() error { return s.verify(groupCtx, queue) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := s.checkManifest(ctx); err != nil {
		return nil, err
	}
	return s.finish(ctx)
}

// seeder is a Seed under way.
type seeder struct {
	*Config
	seeding *Seeding
	layout  zkroot.Layout
	session *session
	request atomic.Int64

	mark     zkroot.Unfinished
	version  int64 // of <root>/unfinished
	manifest *recordpb.CheckpointManifest
	ref      zkroot.CheckpointRef
	taken    atomic.Int64
	wrote    atomic.Int64 // bytes that were not there
	telling  sync.Mutex   // of what was written
}

func newSeeder(ctx context.Context, cfg *Config, seeding *Seeding) (*seeder, error) {
	if err := zkroot.CheckRoot(cfg.Root); err != nil {
		return nil, err
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if cfg.Log == nil {
		cfg.Log = logrus.NewEntry(logrus.StandardLogger())
	}
	s := &seeder{Config: cfg, seeding: seeding, layout: zkroot.Layout{Root: cfg.Root}, session: &session{dialer: cfg.Dialer}}
	s.request.Store(int64(max(cfg.MaxRequest, zkroot.MinRequest)))
	if cfg.MaxRequest == 0 {
		s.request.Store(zkroot.DefaultMaxRequest)
	}
	// The first one shows whether there is an ensemble at all.
	_, err := s.session.get(ctx)
	return s, err
}

// admit refuses a root that is there, and a place where none may be.
func (s *seeder) admit(ctx context.Context, conn zkclient.Conn) error {
	r := zkroot.NewReader(conn, s.layout)
	// A quorum write: what is read afterwards is no older.
	if err := r.Barrier(ctx); err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	err := zkroot.CheckEmpty(ctx, conn, s.layout)
	if errors.Is(err, revision.ErrUnfinished) {
		return nil
	}
	if err != nil {
		return err
	}
	id, err := r.Format(ctx)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s holds cluster %v; choose another --zookeeper-root", ErrNotEmpty, s.Root, zkroot.ClusterID(id))
}

// finish makes the root. If the reply is lost, the cluster id tells whether it was made.
func (s *seeder) finish(ctx context.Context) (*Seeded, error) {
	out := &Seeded{ClusterID: zkroot.NewClusterID(s.Random), Chunks: len(s.manifest.Chunks), Stored: s.ref.Bytes, Taken: s.taken.Load()}
	covered, open := zkroot.NewSegmentRef(Place.Segment, s.Random), zkroot.NewSegmentRef(Place.Segment+1, s.Random)
	ops := append([]any{&zk.DeleteRequest{Path: s.layout.Unfinished(), Version: int32(s.version)}},
		zkroot.FoundingOps(s.layout, out.ClusterID, open)...)
	ops = append(ops, zkclient.CreateOp(s.layout.Segment(covered.Name), zkroot.MustJSON(zkroot.SegmentRecord{})),
		// As after a tidy-up: nothing that is older is needed.
		zkclient.SetOp(s.layout.Checkpoint(), zkroot.MustJSON(zkroot.CheckpointRecord{Latest: &s.ref, Previous: &s.ref}), zkclient.AnyVersion))
	err := s.session.do(ctx, func(conn zkclient.Conn) error {
		_, err := conn.Multi(ctx, ops...)
		if errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrNodeExists) || errors.Is(err, zk.ErrBadVersion) {
			if id, readErr := zkroot.NewReader(conn, s.layout).Format(ctx); readErr == nil && zkroot.ClusterID(id) == out.ClusterID {
				return nil
			}
			return s.overtaken()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *seeder) overtaken() error {
	return fmt.Errorf("%w: %s; see what became of that one", ErrOvertaken, s.layout.Unfinished())
}

// newMark says who writes what.
func (s *seeder) newMark(attempt string) zkroot.Unfinished {
	host, _ := os.Hostname()
	return zkroot.Unfinished{Zkine: "a root that is being made by zkine; do not edit", Attempt: attempt,
		Source: s.seeding.Source, By: s.By, Host: host, At: time.Now().UTC()}
}
