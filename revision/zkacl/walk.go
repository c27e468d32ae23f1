package zkacl

import (
	"context"
	"errors"
	"path"
	"sync"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
)

// inFlight is how many requests a walk has under way at once.
const inFlight = 32

// znode is one as a walk has found it.
type znode struct {
	path string
	acl  List
	stat *zk.Stat
	// closed is why its ACL may not be read, nor what is below it; nil if it may.
	closed error
	// unlisted is why only the latter may not be read.
	unlisted error
}

// look reads one znode's ACL; nil if it is not there.
func look(ctx context.Context, conn Session, path string) (*znode, error) {
	acl, stat, err := conn.GetACL(ctx, path)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return nil, nil //nolint:nilnil // both say that there is nothing to look at
	case errors.Is(err, revision.ErrForbidden):
		return &znode{path: path, closed: err}, nil
	case err != nil:
		return nil, err
	}
	return &znode{path: path, acl: acl, stat: stat}, nil
}

// walk visits a znode and all that is below it, each once, and parents after what
// is below them. Znodes that vanish in the meantime are left out; those that appear
// may be.
//
// It goes down first, so that it holds the names of one folder of each depth,
// and little more.
type walk struct {
	conn Session
	// visit is called for several znodes at once. An error ends the walk.
	visit func(context.Context, *znode) error

	mu      sync.Mutex
	changed *sync.Cond
	stack   []*folder // those with names that were not taken yet
	busy    int       // znodes that were taken, and are not done
	err     error
}

// folder is a znode with others below it, of which some are not done.
type folder struct {
	znode
	in    *folder
	names []string // not taken yet
	left  int      // not done yet
}

// run walks from a path, which may not exist, and returns the first error.
func (w *walk) run(ctx context.Context, from string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.changed = sync.NewCond(&w.mu)
	// What is above from has it as its only child, and is not visited.
	w.stack = []*folder{{names: []string{from}, left: 1}}
	var workers zkclient.Group
	for range inFlight {
		workers.Go(func() {
			for {
				in, at := w.take()
				if in == nil {
					return
				}
				if err := w.meet(ctx, in, at); err != nil {
					w.fail(err) // before others fail for the end of ctx
					cancel()
				}
			}
		})
	}
	workers.Wait()
	return w.err
}

// take returns the next znode, and the folder that it is in; nil at the end.
func (w *walk) take() (in *folder, at string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil {
		if top := len(w.stack) - 1; top >= 0 {
			in = w.stack[top]
			last := len(in.names) - 1
			at, in.names = path.Join(in.path, in.names[last]), in.names[:last]
			if last == 0 {
				w.stack = w.stack[:top]
			}
			w.busy++
			return in, at
		}
		if w.busy == 0 {
			break
		}
		w.changed.Wait()
	}
	return nil, ""
}

func (w *walk) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.changed.Broadcast()
}

// meet looks at a znode. One that has others below it is put off until they are
// done.
func (w *walk) meet(ctx context.Context, in *folder, at string) error {
	z, err := look(ctx, w.conn, at)
	if err != nil {
		return err
	}
	if z == nil {
		return w.done(ctx, in)
	}
	if z.stat != nil && z.stat.NumChildren > 0 {
		names, err := w.conn.Children(ctx, at)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			return w.done(ctx, in)
		case errors.Is(err, revision.ErrForbidden):
			z.unlisted = err
		case err != nil:
			return err
		}
		if len(names) > 0 {
			w.enter(&folder{znode: *z, in: in, names: names, left: len(names)})
			return nil
		}
	}
	if err := w.visit(ctx, z); err != nil {
		return err
	}
	return w.done(ctx, in)
}

// enter has what is in a folder visited, and then the folder.
func (w *walk) enter(f *folder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stack = append(w.stack, f)
	w.busy--
	w.changed.Broadcast()
}

// done notes that a znode in a folder is done, and visits the folder if it was
// the last.
func (w *walk) done(ctx context.Context, in *folder) error {
	for {
		w.mu.Lock()
		in.left--
		last := in.left == 0
		if !last || in.in == nil {
			w.busy--
			w.changed.Broadcast()
			w.mu.Unlock()
			return nil
		}
		w.mu.Unlock()
		if err := w.visit(ctx, &in.znode); err != nil {
			return err
		}
		in = in.in
	}
}
