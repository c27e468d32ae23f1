package revision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"
)

// Holding is what a root holds, for a person who has to decide whether to serve
// it.
type Holding struct {
	ClusterID ClusterID
	// Segment and Slots are the end of the log: the newest segment with slots,
	// or the first.
	Segment string
	Slots   int64
	// Revision is one that the store had reached a moment before the last slot.
	Revision Rev
	// Written is when the log was written to last, by ZooKeeper's clock.
	Written time.Time
	// Halt is nil if the root may be served; Accepted is nil if nobody ever had
	// to decide.
	Halt     *Halt
	Accepted *Accepted

	trust   trustRecord
	version int64 // of the znode that holds it
}

// Look reads what a root holds, and changes nothing. cfg.ClusterID, if it is not
// 0, must be the root's. Errors: ErrNoData, ErrWrongCluster, ErrForeignRoot,
// ErrNewerFormat, ErrCorrupt, ErrForbidden; others are for want of a connection.
func Look(ctx context.Context, cfg Config) (*Holding, error) {
	conn, err := dialRoot(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return look(ctx, conn, cfg)
}

// Accept records by's decision that what a root holds is to be served: what it
// held before, if zkines still remember it, is lost. cfg.ClusterID must be the
// root's. The result is as of before.
func Accept(ctx context.Context, cfg Config, by string) (*Holding, error) {
	conn, err := dialRoot(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	h, err := look(ctx, conn, cfg)
	if err != nil {
		return nil, err
	}
	if uint64(h.ClusterID) != cfg.ClusterID {
		return nil, fmt.Errorf("%w: no cluster is named", ErrWrongCluster)
	}
	now := time.Now().UTC()
	accepted := &Accepted{Number: max(now.UnixMilli(), h.trust.number()+1), By: by, At: now, Halt: h.Halt}
	if h.Halt != nil {
		accepted.Number = max(accepted.Number, h.Halt.Accepted+1)
	}
	err = writeTrust(ctx, conn, layout{cfg.Root}, trustRecord{Accepted: accepted}, h.version)
	if errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNodeExists) {
		err = errors.New("a zkine has written meanwhile; look again")
	}
	return h, err
}

func dialRoot(ctx context.Context, cfg Config) (Conn, error) {
	if err := CheckRoot(cfg.Root); err != nil {
		return nil, err
	}
	return cfg.Dialer.Dial(ctx)
}

func look(ctx context.Context, conn Conn, cfg Config) (*Holding, error) {
	l := layout{cfg.Root}
	if err := barrier(ctx, conn, l); err != nil && !errors.Is(err, zk.ErrNoNode) {
		return nil, err
	}
	id, err := readFormat(ctx, conn, l)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, missingFormat(ctx, conn, l)
	}
	if err != nil {
		return nil, err
	}
	if err := (&Config{Root: cfg.Root, ClusterID: cfg.ClusterID}).mayServeCluster(id); err != nil {
		return nil, err
	}
	h := &Holding{ClusterID: ClusterID(id), Revision: 1}
	h.trust, h.version, err = readTrust(ctx, conn, l)
	if err != nil && !errors.Is(err, ErrCorrupt) { // a record of nonsense is replaced
		return nil, err
	}
	h.Halt, h.Accepted = h.trust.Halt, h.trust.Accepted
	refs, err := listSegments(ctx, conn, l)
	if err != nil {
		return nil, err
	}
	for _, ref := range slices.Backward(refs) {
		data, stat, err := conn.Get(ctx, l.segment(ref.name))
		if errors.Is(err, zk.ErrNoNode) {
			continue
		}
		if err != nil {
			return nil, err
		}
		h.Segment, h.Slots = ref.name, int64(stat.Version)
		if written := time.UnixMilli(stat.Mtime); written.After(h.Written) {
			h.Written = written
		}
		if h.Slots > 0 {
			h.Revision = max(writerRevision(data), 1)
			break
		}
	}
	return h, nil
}

// markers are the znodes by which a root is known that has lost its format.
var markers = []string{"log", "members", "stage", "pack", "checkpoint"}

// missingFormat says what a root without a format is: ErrNoData, with where there
// may be some, or zk.ErrNoNode if it looks like a zkine's that has lost it.
func missingFormat(ctx context.Context, conn Conn, l layout) error {
	names, err := conn.Children(ctx, l.root)
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	if slices.ContainsFunc(names, func(name string) bool { return slices.Contains(markers, name) }) {
		return fmt.Errorf("read %s: %w", l.format(), zk.ErrNoNode)
	}
	what := "no such znode"
	switch {
	case len(names) > 0:
		what = fmt.Sprintf("it holds %q", names[:min(len(names), 5)])
	case err == nil:
		what = "it is empty"
	}
	if near := nearRoots(ctx, conn, l); len(near) > 0 {
		what += fmt.Sprintf(", and there is some under %q", near)
	}
	return fmt.Errorf("%w under %s (%s); check --zookeeper-root and --zookeeper", ErrNoData, l.root, what)
}

// maxNear bounds how many znodes are looked at for a mistyped root.
const maxNear = 50

// alike is how many bytes two names begin with alike.
func alike(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// nearRoots lists roots above a root, beside it and below it.
func nearRoots(ctx context.Context, conn Conn, l layout) (found []string) {
	var paths []string
	if parent := path.Dir(l.root); parent != "/" {
		paths = append(paths, parent)
	}
	for _, folder := range []string{path.Dir(l.root), l.root, "/"} {
		names, err := conn.Children(ctx, folder)
		if err != nil {
			continue
		}
		// A mistyped name begins as the right one does.
		slices.SortFunc(names, func(a, b string) int {
			return cmp.Or(cmp.Compare(alike(b, path.Base(l.root)), alike(a, path.Base(l.root))), cmp.Compare(a, b))
		})
		for _, name := range names[:min(len(names), maxNear)] {
			if near := path.Join(folder, name); near != l.root && !slices.Contains(paths, near) {
				paths = append(paths, near)
			}
		}
	}
	for _, near := range paths {
		if len(found) == 5 {
			break
		}
		if _, err := readFormat(ctx, conn, layout{near}); err == nil {
			found = append(found, near)
		}
	}
	return found
}
