package revision

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/go-zookeeper/zk"
)

// openRoot makes the root if it is not there and may be made, and returns its
// cluster id. It refuses a root that something else, or a newer zkine, has
// written. An error that wraps no final one is worth another try. The server
// must have been shown to be current.
func openRoot(ctx context.Context, conn Nodes, want Wanted, random io.Reader) (clusterID uint64, made bool, err error) {
	l := layout{want.Root}
	for {
		id, err := newReader(conn, l).format(ctx)
		if !errors.Is(err, zk.ErrNoNode) {
			return id, made, err
		}
		if err := checkEmpty(ctx, conn, l); err != nil {
			return 0, false, err
		}
		if err := want.allows(0); err != nil {
			return 0, false, err
		}
		// Another zkine may do the same now; whoever comes second reads.
		err = createRoot(ctx, conn, l, random)
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return 0, false, fmt.Errorf("create %s: %w", l.root, err)
		}
		made = err == nil
	}
}

// format reads and judges <root>/format, and returns the cluster's id;
// zk.ErrNoNode if there is none.
func (r Reader) format(ctx context.Context) (uint64, error) {
	data, _, err := r.conn.Get(ctx, r.layout.format())
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", r.layout.format(), err)
	}
	return parseFormat(r.layout, data)
}

func parseFormat(l layout, data []byte) (uint64, error) {
	var f formatRecord
	if err := json.Unmarshal(data, &f); err != nil || f.Format < 1 {
		return 0, fmt.Errorf("%w: %s is not a zkine format record; choose another --zookeeper-root",
			ErrForeignRoot, l.format())
	}
	if f.Format > formatVersion {
		return 0, fmt.Errorf("%w: %s has format %d, this zkine reads up to %d; upgrade it",
			ErrNewerFormat, l.format(), f.Format, formatVersion)
	}
	id, err := strconv.ParseUint(f.ClusterID, 16, 64)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("%w: %s has no valid cluster_id; restore the znode from a backup", ErrCorrupt, l.format())
	}
	return id, nil
}

// checkEmpty refuses a root without a format but with children: whoever owns
// them would not want a log among them. So it does a place for no root.
func checkEmpty(ctx context.Context, conn Nodes, l layout) error {
	if err := checkPlace(ctx, conn, l); err != nil {
		return err
	}
	children, err := conn.Children(ctx, l.root)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", l.root, err)
	}
	if len(children) > 0 {
		// Another zkine may have made the root between the two reads.
		if _, _, err := conn.Get(ctx, l.format()); !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		return fmt.Errorf("%w: %s has no format but holds %q; choose another --zookeeper-root, or remove what is there",
			ErrForeignRoot, l.root, children)
	}
	return nil
}

// createRoot writes the whole skeleton in one multi, so that nobody ever sees
// half of it.
func createRoot(ctx context.Context, conn Nodes, l layout, random io.Reader) error {
	if err := createParents(ctx, conn, l.root); err != nil {
		return err
	}
	var id [8]byte
	Draw(random, id[:])
	clusterID := binary.BigEndian.Uint64(id[:]) | 1
	first := newSegmentRef(1, random)
	_, err := conn.Multi(ctx,
		createOp(l.format(), mustJSON(formatRecord{
			Zkine:     "etcd API on ZooKeeper; managed by zkine, do not edit",
			Format:    formatVersion,
			ClusterID: strconv.FormatUint(clusterID, 16),
		})),
		createOp(l.members(), nil),
		createOp(l.stageRoot(), nil),
		createOp(l.packRoot(), nil),
		createOp(l.checkpoint(), mustJSON(checkpointRecord{})),
		createOp(l.log(), nil),
		// The set makes the dataVersion 1: the number of the first segment.
		setOp(l.log(), mustJSON(openRecord{first.name}), 0),
		createOp(l.segment(first.name), mustJSON(segmentRecord{})),
		createOp(l.stage(first.name), nil),
	)
	return err
}

// createParents makes the root and what is above it.
func createParents(ctx context.Context, conn Nodes, root string) error {
	p := ""
	for _, name := range strings.Split(strings.TrimPrefix(root, "/"), "/") {
		p += "/" + name
		if _, err := conn.Multi(ctx, createOp(p, nil)); err != nil && !errors.Is(err, zk.ErrNodeExists) {
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
