package memzk

import (
	"fmt"
	"path"
	"sort"
	"strings"

	"github.com/go-zookeeper/zk"
)

// node is a znode. Stat's DataVersion, Cversion, Czxid, Mzxid and
// EphemeralOwner are kept as ZooKeeper keeps them.
type node struct {
	data     []byte
	stat     zk.Stat
	children map[string]bool
}

// tree is the ensemble's committed state. Its owner holds the ensemble's lock.
type tree struct {
	nodes map[string]*node
	zxid  int64
}

func newTree() *tree {
	return &tree{nodes: map[string]*node{"/": {children: map[string]bool{}}}}
}

func parent(p string) string { return path.Dir(p) }

// event is what a committed change tells the watches.
type event struct {
	path string
	kind zk.EventType
}

// multi runs ops as one transaction and returns its results and events. On
// failure nothing has changed but the zxid.
func (t *tree) multi(session int64, ops []any) ([]zk.MultiResponse, []event, error) {
	t.zxid++
	undo := []func(){}
	results := make([]zk.MultiResponse, len(ops))
	var events []event
	for i, op := range ops {
		result, evs, back, err := t.apply(session, op)
		if err != nil {
			for j := len(undo) - 1; j >= 0; j-- {
				undo[j]()
			}
			failed := make([]zk.MultiResponse, len(ops))
			failed[i].Error = err
			return failed, nil, err
		}
		results[i] = result
		events = append(events, evs...)
		undo = append(undo, back)
	}
	return results, events, nil
}

func (t *tree) apply(session int64, op any) (zk.MultiResponse, []event, func(), error) {
	switch op := op.(type) {
	case *zk.CheckVersionRequest:
		n, err := t.find(op.Path, op.Version)
		_ = n
		return zk.MultiResponse{}, nil, func() {}, err
	case *zk.SetDataRequest:
		return t.setData(op)
	case *zk.CreateRequest:
		return t.create(session, op)
	case *zk.DeleteRequest:
		return t.delete(op.Path, op.Version)
	default:
		panic(fmt.Sprintf("memzk: unknown operation %T", op))
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

func (t *tree) setData(op *zk.SetDataRequest) (zk.MultiResponse, []event, func(), error) {
	n, err := t.find(op.Path, op.Version)
	if err != nil {
		return zk.MultiResponse{}, nil, nil, err
	}
	data, stat := n.data, n.stat
	n.data = append([]byte(nil), op.Data...)
	n.stat.Version++
	n.stat.Mzxid = t.zxid
	after := n.stat
	return zk.MultiResponse{Stat: &after}, []event{{op.Path, zk.EventNodeDataChanged}},
		func() { n.data, n.stat = data, stat }, nil
}

func (t *tree) create(session int64, op *zk.CreateRequest) (zk.MultiResponse, []event, func(), error) {
	up := t.nodes[parent(op.Path)]
	if up == nil {
		return zk.MultiResponse{}, nil, nil, zk.ErrNoNode
	}
	if up.stat.EphemeralOwner != 0 {
		return zk.MultiResponse{}, nil, nil, zk.ErrNoChildrenForEphemerals
	}
	name := op.Path
	if op.Flags&zk.FlagSequence != 0 {
		name = fmt.Sprintf("%s%010d", op.Path, up.stat.Cversion)
	}
	if t.nodes[name] != nil {
		return zk.MultiResponse{}, nil, nil, zk.ErrNodeExists
	}
	n := &node{data: append([]byte(nil), op.Data...), children: map[string]bool{}}
	n.stat.Czxid, n.stat.Mzxid = t.zxid, t.zxid
	if op.Flags&zk.FlagEphemeral != 0 {
		n.stat.EphemeralOwner = session
	}
	t.nodes[name] = n
	up.children[path.Base(name)] = true
	up.stat.Cversion++
	return zk.MultiResponse{String: name}, []event{{name, zk.EventNodeCreated}}, func() {
		delete(t.nodes, name)
		delete(up.children, path.Base(name))
		up.stat.Cversion--
	}, nil
}

func (t *tree) delete(p string, version int32) (zk.MultiResponse, []event, func(), error) {
	n, err := t.find(p, version)
	if err != nil {
		return zk.MultiResponse{}, nil, nil, err
	}
	if len(n.children) > 0 {
		return zk.MultiResponse{}, nil, nil, zk.ErrNotEmpty
	}
	up := t.nodes[parent(p)]
	delete(t.nodes, p)
	delete(up.children, path.Base(p))
	return zk.MultiResponse{}, []event{{p, zk.EventNodeDeleted}}, func() {
		t.nodes[p] = n
		up.children[path.Base(p)] = true
	}, nil
}

func (t *tree) get(p string) ([]byte, *zk.Stat, error) {
	n, err := t.find(p, -1)
	if err != nil {
		return nil, nil, err
	}
	stat := n.stat
	stat.DataLength = int32(len(n.data))
	stat.NumChildren = int32(len(n.children))
	return append([]byte(nil), n.data...), &stat, nil
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
			delete(t.nodes, name)
			events = append(events, event{name, zk.EventNodeDeleted})
		}
	}
	if up := t.nodes[parent(p)]; up != nil {
		delete(up.children, path.Base(p))
	}
	return events
}

// endSession removes a session's ephemerals.
func (t *tree) endSession(session int64) []event {
	t.zxid++
	var events []event
	for name, n := range t.nodes {
		if n.stat.EphemeralOwner == session && session != 0 {
			delete(t.nodes, name)
			delete(t.nodes[parent(name)].children, path.Base(name))
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
