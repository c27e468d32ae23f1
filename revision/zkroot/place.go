package zkroot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
)

// checkPlace refuses to make a root where it would be in another's way, or
// another in its own: in a znode that holds data, in one that goes with a
// session, and within another zkine's root. It writes nothing.
func checkPlace(ctx context.Context, conn Nodes, l Layout) error {
	var places []string
	for p := l.Root; p != "/"; p = path.Dir(p) {
		places = append(places, p)
	}
	for _, p := range slices.Backward(places) {
		stat, err := conn.Exists(ctx, p)
		if errors.Is(err, zk.ErrNoNode) {
			return nil
		}
		if errors.Is(err, revision.ErrForbidden) && p != l.Root {
			continue // what is above the root may be closed
		}
		if err != nil {
			return fmt.Errorf("look at %s: %w", p, err)
		}
		if Ephemeral(stat) {
			return fmt.Errorf("%w: %s is ephemeral, it goes with the session 0x%x of another program; choose another --zookeeper-root",
				revision.ErrForeignRoot, p, uint64(stat.EphemeralOwner))
		}
		if p == l.Root {
			if stat.DataLength > 0 {
				return fmt.Errorf("%w: %s holds %d bytes of another program; choose another --zookeeper-root, or remove the znode if no program needs it",
					revision.ErrForeignRoot, p, stat.DataLength)
			}
			continue
		}
		if err := checkNotWithin(ctx, conn, Layout{Root: p}, l); err != nil {
			return err
		}
	}
	return nil
}

// Nearest returns the root, or what is nearest above it and exists, and what is
// missing below that, the root first. What may not be looked at exists. Errors: the
// session's.
func Nearest(ctx context.Context, conn Nodes, root string) (nearest string, missing []string, err error) {
	for nearest = root; nearest != "/"; nearest = path.Dir(nearest) {
		_, err := conn.Exists(ctx, nearest)
		if err == nil || errors.Is(err, revision.ErrForbidden) {
			return nearest, missing, nil
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return "", nil, fmt.Errorf("look at %s: %w", nearest, err)
		}
		missing = append(missing, nearest)
	}
	return nearest, missing, nil
}

// Ephemeral says whether a znode goes with its session. Containers and znodes
// with a TTL have an owner that is no session; they stay while they have
// children, as a root has.
func Ephemeral(stat *zk.Stat) bool {
	const container, ttl = 0x80, 0xff // the first byte of what is no session
	first := byte(uint64(stat.EphemeralOwner) >> 56)
	return stat.EphemeralOwner != 0 && uint64(stat.EphemeralOwner) != container<<56 && first != ttl
}

// checkNotWithin refuses a root within another zkine's, which would take it for
// damage.
func checkNotWithin(ctx context.Context, conn Nodes, outer, l Layout) error {
	data, _, err := conn.Get(ctx, outer.Format())
	if errors.Is(err, zk.ErrNoNode) || errors.Is(err, revision.ErrForbidden) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", outer.Format(), err)
	}
	var f formatRecord
	if json.Unmarshal(data, &f) != nil || f.Zkine == "" {
		return nil
	}
	return fmt.Errorf("%w: %s would lie within the root %s of another zkine; choose another --zookeeper-root",
		revision.ErrForeignRoot, l.Root, outer.Root)
}

// checkCharacters refuses what ZooKeeper refuses in a path.
func checkCharacters(root string) error {
	if !utf8.ValidString(root) {
		return fmt.Errorf("%q is not UTF-8", root)
	}
	bad := strings.IndexFunc(root, func(r rune) bool {
		return r < 0x20 || 0x7f <= r && r < 0xa0 || 0xd800 <= r && r < 0xf900 || 0xfff0 <= r
	})
	if bad >= 0 {
		r, _ := utf8.DecodeRuneInString(root[bad:])
		return fmt.Errorf("%q holds the character %U, which ZooKeeper takes in no path", root, r)
	}
	return nil
}
