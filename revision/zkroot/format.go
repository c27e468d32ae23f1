package zkroot

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
)

// OpenRoot makes the root if it is not there and may be made, and returns its
// cluster id. It refuses a root that something else, or a newer zkine, has
// written. An error that wraps no final one is worth another try. The server
// must have been shown to be current.
func OpenRoot(ctx context.Context, conn Nodes, want Wanted, random io.Reader) (clusterID uint64, made bool, err error) {
	l := Layout{Root: want.Root}
	for {
		id, err := NewReader(conn, l).Format(ctx)
		if !errors.Is(err, zk.ErrNoNode) {
			return id, made, err
		}
		if err := CheckEmpty(ctx, conn, l); err != nil {
			return 0, false, err
		}
		if err := want.Allows(0); err != nil {
			return 0, false, err
		}
		// Another zkine may do the same now; the one that comes second reads.
		err = createRoot(ctx, conn, l, random)
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return 0, false, fmt.Errorf("create %s: %w", l.Root, err)
		}
		made = err == nil
	}
}

// Format reads and judges <root>/format, and returns the cluster's id;
// zk.ErrNoNode if there is none.
func (r Reader) Format(ctx context.Context) (uint64, error) {
	data, _, err := r.conn.Get(ctx, r.layout.Format())
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", r.layout.Format(), err)
	}
	return parseFormat(r.layout, data)
}

func parseFormat(l Layout, data []byte) (uint64, error) {
	var f formatRecord
	if err := json.Unmarshal(data, &f); err != nil || f.Format < 1 {
		return 0, fmt.Errorf("%w: %s is not a zkine format record; choose another --zookeeper-root",
			revision.ErrForeignRoot, l.Format())
	}
	if f.Format > formatVersion {
		return 0, fmt.Errorf("%w: %s has format %d, this zkine reads up to %d; upgrade it",
			revision.ErrNewerFormat, l.Format(), f.Format, formatVersion)
	}
	id, err := strconv.ParseUint(f.ClusterID, 16, 64)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("%w: %s has no valid cluster_id; restore the znode from a backup", revision.ErrCorrupt, l.Format())
	}
	return id, nil
}

// CheckEmpty refuses a root without a format but with children: another program
// owns them, and a log must not lie among them. It also refuses a place where no
// root may be.
func CheckEmpty(ctx context.Context, conn Nodes, l Layout) error {
	if err := checkPlace(ctx, conn, l); err != nil {
		return err
	}
	children, err := conn.Children(ctx, l.Root)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", l.Root, err)
	}
	if slices.Contains(children, path.Base(l.Unfinished())) {
		if err := NewReader(conn, l).unfinished(ctx); !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		return fmt.Errorf("%s was finished or given up a moment ago: %w", l.Root, zk.ErrNoNode)
	}
	if len(children) > 0 {
		// Another zkine may have made the root between the two reads.
		if _, _, err := conn.Get(ctx, l.Format()); !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		return fmt.Errorf("%w: %s has no format but holds %q; choose another --zookeeper-root, or remove what is there",
			revision.ErrForeignRoot, l.Root, children)
	}
	return nil
}

// createRoot writes the whole skeleton in one multi, so that no reader ever sees
// half of it.
func createRoot(ctx context.Context, conn Nodes, l Layout, random io.Reader) error {
	if err := CreateParents(ctx, conn, l.Root); err != nil {
		return err
	}
	ops := append(FoundingOps(l, NewClusterID(random), NewSegmentRef(1, random)),
		zkclient.CreateOp(l.Checkpoint(), MustJSON(CheckpointRecord{})))
	_, err := conn.Multi(ctx, ops...)
	return err
}

// NewClusterID draws one; random is a source that never fails.
func NewClusterID(random io.Reader) ClusterID {
	var id [8]byte
	revision.Draw(random, id[:])
	return ClusterID(binary.BigEndian.Uint64(id[:]) | 1)
}

// FoundingOps make a root with an open segment, all but its checkpoint record: one
// multi has them all. Segments before the open one, if any, are the caller's to add.
func FoundingOps(l Layout, id ClusterID, open SegmentRef) []any {
	ops := []any{
		zkclient.CreateOp(l.Format(), MustJSON(formatRecord{
			Zkine:     "etcd API on ZooKeeper; managed by zkine, do not edit",
			Format:    formatVersion,
			ClusterID: id.String(),
		})),
		zkclient.CreateOp(l.Members(), nil),
		zkclient.CreateOp(l.StageRoot(), nil),
		zkclient.CreateOp(l.PackRoot(), nil),
		zkclient.CreateOp(l.Log(), nil),
		zkclient.CreateOp(l.Segment(open.Name), MustJSON(SegmentRecord{})),
		zkclient.CreateOp(l.Stage(open.Name), nil),
	}
	// Each set makes the dataVersion one more: it is the open segment's number.
	for version := range open.Number {
		ops = append(ops, zkclient.SetOp(l.Log(), MustJSON(OpenRecord{OpenSegment: open.Name}), version))
	}
	return ops
}

// Unfinished is the data of <root>/unfinished: there is no root yet, but what it is
// to begin with is being written, or was. The znode goes with the multi that makes
// the root; see package zkseed.
type Unfinished struct {
	Zkine string `json:"zkine"` // for people
	// Attempt is the folder of the checkpoint.
	Attempt string `json:"attempt"`
	// Source names what is written: the same name means the same content.
	Source string `json:"source"`
	// By and Host say who does it, and At since when.
	By   string    `json:"by"`
	Host string    `json:"host"`
	At   time.Time `json:"at"`
}

// Unfinished reads <root>/unfinished and its version. Errors: zk.ErrNoNode,
// ErrForeignRoot.
func (r Reader) Unfinished(ctx context.Context) (Unfinished, int64, error) {
	var u Unfinished
	path := r.layout.Unfinished()
	data, stat, err := r.conn.Get(ctx, path)
	if err != nil {
		return u, 0, fmt.Errorf("read %s: %w", path, err)
	}
	if err := json.Unmarshal(data, &u); err != nil {
		return u, 0, fmt.Errorf("%w: %s is not a record of zkine's; choose another --zookeeper-root", revision.ErrForeignRoot, path)
	}
	if _, err := ParseSegmentRef(u.Attempt); err != nil {
		return u, 0, fmt.Errorf("%w: %s names no attempt; choose another --zookeeper-root", revision.ErrForeignRoot, path)
	}
	return u, int64(stat.Version), nil
}

// unfinished is why a root that is not finished is not served.
func (r Reader) unfinished(ctx context.Context) error {
	u, _, err := r.Unfinished(ctx)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s on %s writes %s to %s, since %s; wait for it, or begin it again if it has ended",
		revision.ErrUnfinished, u.By, u.Host, u.Source, r.layout.Root, u.At.UTC().Format(time.RFC3339))
}

// CreateParents makes the root and what is above it, as far as it is missing. A
// znode that exists needs no right to create it, nor to read it: on an ensemble
// that others use, what is above the root may be closed.
func CreateParents(ctx context.Context, conn Nodes, root string) error {
	_, missing, err := Nearest(ctx, conn, root)
	if err != nil {
		return err
	}
	for _, p := range slices.Backward(missing) {
		if _, err := conn.Multi(ctx, zkclient.CreateOp(p, nil)); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return fmt.Errorf("create %s: %w", p, err)
		}
	}
	return nil
}

// CheckRoot says whether path may be a root, for flags.
func CheckRoot(root string) error {
	if !strings.HasPrefix(root, "/") || root == "/" || path.Clean(root) != root {
		return fmt.Errorf("%q is not a path like /zkine", root)
	}
	if root == "/zookeeper" || strings.HasPrefix(root, "/zookeeper/") {
		return fmt.Errorf("%q belongs to ZooKeeper itself", root)
	}
	return checkCharacters(root)
}
