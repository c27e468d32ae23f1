package zkclient

import (
	"context"

	"github.com/go-zookeeper/zk"
)

// What follows is of real sessions only, and no part of Conn: the log never asks
// for an ACL.

// GetACL returns a znode's ACL, which belongs to the caller, and its stat. It needs
// READ or ADMIN; with READ alone the server hides the hashes of digest ids. Errors:
// zk.ErrNoNode, ErrForbidden, the session's.
func (c *zkConn) GetACL(ctx context.Context, path string) ([]zk.ACL, *zk.Stat, error) {
	type reply struct {
		acl  []zk.ACL
		stat *zk.Stat
	}
	got, err := call(ctx, c, func() (reply, error) {
		acl, stat, err := c.zk.GetACL(path)
		return reply{acl, stat}, Named(path, err)
	})
	return got.acl, got.stat, err
}

// SetACL replaces a znode's ACL, if its stat's Aversion is version, or version is
// AnyVersion, and returns the stat from then. It needs ADMIN, and cannot be part of
// a multi. It changes nothing else of the znode, and wakes no watch. Errors:
// zk.ErrNoNode, zk.ErrBadVersion, ErrForbidden, ErrRefused, the session's.
func (c *zkConn) SetACL(ctx context.Context, path string, acl []zk.ACL, version int32) (*zk.Stat, error) {
	return call(ctx, c, func() (*zk.Stat, error) {
		stat, err := c.zk.SetACL(path, acl, version)
		return stat, Named(path, err)
	})
}
