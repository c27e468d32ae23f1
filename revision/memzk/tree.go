package memzk

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/go-zookeeper/zk"
)

// node is a znode.
type node struct {
	data []byte
	// stat is as ZooKeeper keeps it: Cversion counts the children that were
	// created; DataLength and NumChildren are left out. See visible.
	stat     zk.Stat
	children map[string]bool
}

// visible is the stat that ZooKeeper shows: its Cversion counts creations and
// deletions of children (DataNode.copyStat).
func (n *node) visible() *zk.Stat {
	stat := n.stat
	stat.DataLength = int32(len(n.data))
	stat.NumChildren = int32(len(n.children))
	stat.Cversion = 2*n.stat.Cversion - stat.NumChildren
	return &stat
}

// tree is the ensemble's committed state. Its owner holds the ensemble's lock.
type tree struct {
	nodes map[string]*node
	zxid  int64
	now   int64 // of the transaction, in milliseconds
}

func newTree() *tree {
	return &tree{nodes: map[string]*node{"/": {children: map[string]bool{}}}}
}

// parent is a path up to its last slash, as it is.
func parent(p string) string {
	return cmp.Or(p[:max(strings.LastIndexByte(p, '/'), 0)], "/")
}

func base(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// event is what a committed change tells the watches.
type event struct {
	path string
	kind zk.EventType
}

// applied is an operation's result, what watches hear of it, and how to take it
// back.
type applied struct {
	result zk.MultiResponse
	events []event
	undo   func()
}

// errAfterFailure is the result of operations after one that failed: a code
// without meaning, in the client's words (RUNTIMEINCONSISTENCY).
var errAfterFailure = errors.New("unknown error: -2")

// multi runs ops as one transaction and returns its results and events. On
// failure nothing has changed but the zxid.
func (t *tree) multi(session int64, ops []any) ([]zk.MultiResponse, []event, error) {
	t.zxid++
	var undo []func()
	results := make([]zk.MultiResponse, len(ops))
	var events []event
	for i, op := range ops {
		a, err := t.apply(session, op)
		if err != nil {
			for _, back := range slices.Backward(undo) {
				back()
			}
			clear(results[:i])
			results[i].Error = err
			for j := i + 1; j < len(ops); j++ {
				results[j].Error = errAfterFailure
			}
			return results, nil, err
		}
		results[i] = a.result
		events = append(events, a.events...)
		undo = append(undo, a.undo)
	}
	return results, events, nil
}

func (t *tree) apply(session int64, op any) (applied, error) {
	switch op := op.(type) {
	case *zk.CheckVersionRequest:
		_, err := t.find(op.Path, op.Version)
		return applied{undo: func() {}}, err
	case *zk.SetDataRequest:
		return t.setData(op)
	case *zk.CreateRequest:
		return t.create(session, op)
	case *zk.DeleteRequest:
		return t.delete(op.Path, op.Version)
	default:
		return applied{}, fmt.Errorf("memzk: unknown operation %T", op)
	}
}

func (t *tree) find(p string, version int32) (*node, error) {
	n := t.nodes[p]
	if n == nil {
		return nil, zk.ErrNoNode
	}
	if version != -1 && version != n.stat.Version {
		return nil, zk.ErrBadVersion
	}
	return n, nil
}

func (t *tree) setData(op *zk.SetDataRequest) (applied, error) {
	n, err := t.find(op.Path, op.Version)
	if err != nil {
		return applied{}, err
	}
	data, stat := n.data, n.stat
	n.data = append([]byte(nil), op.Data...)
	n.stat.Version++
	n.stat.Mzxid, n.stat.Mtime = t.zxid, t.now
	return applied{zk.MultiResponse{Stat: n.visible()}, []event{{op.Path, zk.EventNodeDataChanged}},
		func() { n.data, n.stat = data, stat }}, nil
}

// create checks in the order of ZooKeeper (PrepRequestProcessor).
func (t *tree) create(session int64, op *zk.CreateRequest) (applied, error) {
	if !strings.Contains(op.Path, "/") || strings.Contains(op.Path, "\x00") {
		return applied{}, zk.ErrBadArguments
	}
	up := t.nodes[parent(op.Path)]
	if up == nil {
		return applied{}, zk.ErrNoNode
	}
	name := op.Path
	if op.Flags&zk.FlagSequence != 0 {
		name = fmt.Sprintf("%s%010d", op.Path, up.stat.Cversion)
	}
	switch {
	case !validName(base(name)):
		return applied{}, zk.ErrBadArguments
	case t.nodes[name] != nil:
		return applied{}, zk.ErrNodeExists
	case up.stat.EphemeralOwner != 0:
		return applied{}, zk.ErrNoChildrenForEphemerals
	}
	n := &node{data: append([]byte(nil), op.Data...), children: map[string]bool{}}
	n.stat = zk.Stat{Czxid: t.zxid, Mzxid: t.zxid, Pzxid: t.zxid, Ctime: t.now, Mtime: t.now}
	if op.Flags&zk.FlagEphemeral != 0 {
		n.stat.EphemeralOwner = session
	}
	before := up.stat
	t.nodes[name] = n
	up.children[base(name)] = true
	up.stat.Cversion++
	up.stat.Pzxid = t.zxid
	return applied{zk.MultiResponse{String: name}, []event{{name, zk.EventNodeCreated}}, func() {
		delete(t.nodes, name)
		delete(up.children, base(name))
		up.stat = before
	}}, nil
}

// validName says whether a path's last element may be one; those before it are
// znodes' that are there (PathUtils.validatePath).
func validName(name string) bool {
	bad := func(r rune) bool {
		return r < 0x20 || 0x7f <= r && r < 0xa0 || 0xd800 <= r && r < 0xf900 || 0xfff0 <= r
	}
	return name != "" && name != "." && name != ".." && !strings.ContainsFunc(name, bad)
}

func (t *tree) delete(p string, version int32) (applied, error) {
	n, err := t.find(p, version)
	if err != nil {
		return applied{}, err
	}
	if len(n.children) > 0 {
		return applied{}, zk.ErrNotEmpty
	}
	up := t.nodes[parent(p)]
	before := up.stat
	t.unlink(p)
	return applied{events: []event{{p, zk.EventNodeDeleted}}, undo: func() {
		t.nodes[p] = n
		up.children[base(p)] = true
		up.stat = before
	}}, nil
}

// unlink takes a znode out of the tree.
func (t *tree) unlink(p string) {
	delete(t.nodes, p)
	if up := t.nodes[parent(p)]; up != nil {
		delete(up.children, base(p))
		up.stat.Pzxid = t.zxid
	}
}

func (t *tree) get(p string) ([]byte, *zk.Stat, error) {
	n, err := t.find(p, -1)
	if err != nil {
		return nil, nil, err
	}
	return append([]byte(nil), n.data...), n.visible(), nil
}

func (t *tree) childNames(p string) ([]string, error) {
	n, err := t.find(p, -1)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	sort.Strings(names)
	return names, nil
}

// remove deletes a znode and all below it, as an operator's deleteall does.
func (t *tree) remove(p string) []event {
	t.zxid++
	var events []event
	for name := range t.nodes {
		if name == p || strings.HasPrefix(name, p+"/") {
			t.unlink(name)
			events = append(events, event{name, zk.EventNodeDeleted})
		}
	}
	return events
}

// endSession removes a session's ephemerals.
func (t *tree) endSession(session int64) []event {
	t.zxid++
	var events []event
	for name, n := range t.nodes {
		if n.stat.EphemeralOwner == session && session != 0 {
			t.unlink(name)
			events = append(events, event{name, zk.EventNodeDeleted})
		}
	}
	return events
}

// sessions are those that own ephemerals.
func (t *tree) sessions() map[int64]bool {
	found := map[int64]bool{}
	for _, n := range t.nodes {
		if owner := n.stat.EphemeralOwner; owner != 0 {
			found[owner] = true
		}
	}
	return found
}

// clone copies the tree, for a restore to this moment.
func (t *tree) clone() *tree {
	c := &tree{nodes: make(map[string]*node, len(t.nodes)), zxid: t.zxid}
	for name, n := range t.nodes {
		m := &node{data: n.data, stat: n.stat, children: map[string]bool{}}
		for child := range n.children {
			m.children[child] = true
		}
		c.nodes[name] = m
	}
	return c
}
