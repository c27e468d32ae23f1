package zkacl

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
)

// Session is what this package needs of a ZooKeeper session; see zkclient.Conn.
// Calls may run at the same time.
type Session interface {
	Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error)
	Children(ctx context.Context, path string) ([]string, error)
	// GetACL needs READ or ADMIN.
	GetACL(ctx context.Context, path string) ([]zk.ACL, *zk.Stat, error)
	// SetACL needs ADMIN. version is that of the ACL, in its stat's Aversion, or
	// zkclient.AnyVersion. It returns the znode's stat from then.
	SetACL(ctx context.Context, path string, acl []zk.ACL, version int32) (*zk.Stat, error)
}

// SessionOf is a session as an Ensemble dials it.
func SessionOf(conn zkclient.Conn) (Session, error) {
	s, ok := conn.(Session)
	if !ok {
		return nil, fmt.Errorf("zkacl: a %T has no ACLs", conn)
	}
	return s, nil
}

// scratch names a znode that no other session has.
func scratch(folder string) string {
	return path.Join(folder, fmt.Sprintf("acl-%016x", rand.Uint64()))
}

// ErrAnonymous says that ZooKeeper knows a session by its address alone, so that
// scheme auth stands for no id.
var ErrAnonymous = errors.New("zkacl: ZooKeeper knows this zkine by its address alone")

// Expand returns a list as znodes have it that a session creates: entries of scheme
// auth become one for each id that the session authenticates as. Only the server
// knows these. So one with such an entry is asked by an ephemeral znode in folder,
// which is removed again: whoAmI leaves out the hash of a digest id, which an ACL
// needs. Errors: ErrAnonymous, ErrForbidden, the session's.
func Expand(ctx context.Context, conn Session, folder string, list List) (List, error) {
	if !list.has("auth") {
		return list, nil
	}
	ids, err := whoAmI(ctx, conn, folder)
	if err != nil {
		return nil, err
	}
	var expanded List
	for _, a := range list {
		if a.Scheme != "auth" {
			expanded = append(expanded, a)
			continue
		}
		for _, id := range ids {
			expanded = append(expanded, zk.ACL{Scheme: id.Scheme, ID: id.ID, Perms: a.Perms})
		}
	}
	return expanded, nil
}

// whoAmI returns the ids that a session authenticates as.
func whoAmI(ctx context.Context, conn Session, folder string) ([]zk.ACL, error) {
	at := scratch(folder)
	// Without ADMIN the server would hide the hashes.
	_, err := conn.Multi(ctx, &zk.CreateRequest{Path: at, Acl: zk.AuthACL(zk.PermAll), Flags: zk.FlagEphemeral})
	if errors.Is(err, zk.ErrInvalidACL) {
		return nil, ErrAnonymous
	}
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", at, err)
	}
	ids, _, err := conn.GetACL(ctx, at)
	// What is left ends with the session.
	if _, gone := conn.Multi(ctx, &zk.DeleteRequest{Path: at, Version: zkclient.AnyVersion}); err == nil && !errors.Is(gone, revision.ErrForbidden) {
		err = gone
	}
	if err != nil {
		return nil, fmt.Errorf("ask as whom ZooKeeper knows this zkine, by %s: %w", at, err)
	}
	return ids, nil
}

func (l List) has(scheme string) bool {
	for _, a := range l {
		if a.Scheme == scheme {
			return true
		}
	}
	return false
}
