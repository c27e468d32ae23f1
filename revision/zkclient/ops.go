package zkclient

import (
	"fmt"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/zkclient/transport"
)

// Operations of a multi, as zkine sends them.

// openACL lets everyone do all. A root has one ACL for all of its znodes, which
// keeps ZooKeeper's own restart bugs with ACL caches away (ZOOKEEPER-4846).
var openACL = zk.WorldACL(zk.PermAll)

// CreateOp creates a znode that lasts, with the ACL of the session that sends it.
// The data must not be changed until the multi is over.
func CreateOp(path string, data []byte) *zk.CreateRequest {
	return &zk.CreateRequest{Path: path, Data: data}
}

// CheckOp makes the multi fail unless a znode is there, at a version.
func CheckOp(path string, version int64) *zk.CheckVersionRequest {
	return &zk.CheckVersionRequest{Path: path, Version: int32(version)}
}

// AnyVersion makes a check or a setData accept whatever version there is.
const AnyVersion = -1

// SetOp replaces the data of a znode at a version.
func SetOp(path string, data []byte, version int64) *zk.SetDataRequest {
	return &zk.SetDataRequest{Path: path, Data: data, Version: int32(version)}
}

// PathOf is the znode that an operation of a multi is about.
func PathOf(op any) string {
	switch op := op.(type) {
	case *zk.CheckVersionRequest:
		return op.Path
	case *zk.CreateRequest:
		return op.Path
	case *zk.SetDataRequest:
		return op.Path
	case *zk.DeleteRequest:
		return op.Path
	default:
		return "a znode"
	}
}

// withACL gives what a multi creates its ACL. An operation that has one keeps it,
// and none is changed, since its owner may send it again elsewhere.
func withACL(ops []any, acl []zk.ACL) []any {
	with := slices.Clone(ops)
	for i, op := range with {
		if create, ok := op.(*zk.CreateRequest); ok && create.Acl == nil {
			stamped := *create
			stamped.Acl = acl
			with[i] = &stamped
		}
	}
	return with
}

// mismatch says how the results of a multi are not those of its operations; nil
// if they are. One that has failed may lack some.
func mismatch(ops []any, results []zk.MultiResponse, passed bool) error {
	if len(results) > len(ops) || passed && len(results) < len(ops) {
		return fmt.Errorf("%w: %d results for %d operations", transport.ErrBadFrame, len(results), len(ops))
	}
	if !passed {
		return nil
	}
	for i, op := range ops {
		fits := true
		switch op.(type) {
		case *zk.CreateRequest:
			fits = results[i].String != ""
		case *zk.SetDataRequest:
			fits = results[i].Stat != nil
		}
		if !fits {
			return fmt.Errorf("%w: a result of another operation than number %d", transport.ErrBadFrame, i)
		}
	}
	return nil
}
