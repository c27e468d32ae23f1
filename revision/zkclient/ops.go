package zkclient

import (
	"github.com/go-zookeeper/zk"
)

// Operations of a multi, as zkine sends them.

// openACL is the one ACL of all znodes; a single constant keeps ZooKeeper's
// own restart bugs with ACL caches away (ZOOKEEPER-4846).
var openACL = zk.WorldACL(zk.PermAll)

// CreateOp creates a znode that lasts. The data must not be changed until the
// multi is over.
func CreateOp(path string, data []byte) *zk.CreateRequest {
	return &zk.CreateRequest{Path: path, Data: data, Acl: openACL}
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
