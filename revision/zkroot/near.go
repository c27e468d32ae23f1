package zkroot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
)

// markers are the znodes by which a root is known that has lost its format.
var markers = []string{"log", "members", "stage", "pack", "checkpoint"}

// missingFormat says what a root without a format is: ErrNoData, with where there
// may be some, or zk.ErrNoNode if it looks like a zkine's that has lost it.
func (r Reader) missingFormat(ctx context.Context) error {
	l := r.layout
	names, err := r.conn.Children(ctx, l.Root)
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	if slices.Contains(names, path.Base(l.Unfinished())) {
		return r.unfinished(ctx)
	}
	if slices.ContainsFunc(names, func(name string) bool { return slices.Contains(markers, name) }) {
		return fmt.Errorf("read %s: %w", l.Format(), zk.ErrNoNode)
	}
	what := "no such znode"
	switch {
	case len(names) > 0:
		what = fmt.Sprintf("it holds %q", names[:min(len(names), 5)])
	case err == nil:
		what = "it is empty"
	}
	if near := r.NearRoots(ctx); len(near) > 0 {
		what += fmt.Sprintf(", and there is some under %q", near)
	}
	return fmt.Errorf("%w under %s (%s); check --zookeeper-root and --zookeeper", revision.ErrNoData, l.Root, what)
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

// NearRoots lists roots above a root, beside it and below it, some at most, for one that
// may be mistyped.
func (r Reader) NearRoots(ctx context.Context) (found []string) {
	l := r.layout
	var paths []string
	if parent := path.Dir(l.Root); parent != "/" {
		paths = append(paths, parent)
	}
	for _, folder := range []string{path.Dir(l.Root), l.Root, "/"} {
		names, err := r.conn.Children(ctx, folder)
		if err != nil {
			continue
		}
		// A mistyped name begins as the right one does.
		slices.SortFunc(names, func(a, b string) int {
			return cmp.Or(cmp.Compare(alike(b, path.Base(l.Root)), alike(a, path.Base(l.Root))), cmp.Compare(a, b))
		})
		for _, name := range names[:min(len(names), maxNear)] {
			if near := path.Join(folder, name); near != l.Root && !slices.Contains(paths, near) {
				paths = append(paths, near)
			}
		}
	}
	for _, near := range paths {
		if len(found) == 5 {
			break
		}
		if _, err := NewReader(r.conn, Layout{Root: near}).Format(ctx); err == nil {
			found = append(found, near)
		}
	}
	return found
}
