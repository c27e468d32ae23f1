package zkacl

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
)

// ErrLocksOut says that a list does not let the session that would apply it do
// everything.
var ErrLocksOut = errors.New("zkacl: the list locks this zkine out")

// Try asks the server whether a znode with a list lets the session do everything
// with it and below it: it has a multi create one in folder, use each permission
// on it, and fail at its end, so that all of that never was. The session needs
// CREATE on folder. Errors: ErrLocksOut with what is missing, ErrAnonymous,
// ErrList for what the server does not accept, ErrForbidden for folder, the
// session's.
func Try(ctx context.Context, conn Session, folder string, list List) error {
	at := scratch(folder)
	below, admin := at+"/below", at+"-admin"
	admins := list.readableByAdmins()
	tries := []struct {
		needs string // the permission's letter
		op    any
	}{
		{"", &zk.CreateRequest{Path: at, Acl: list}},
		{"c", &zk.CreateRequest{Path: below, Acl: list}},
		{"r", zkclient.CheckOp(at, zkclient.AnyVersion)},
		{"w", zkclient.SetOp(at, nil, zkclient.AnyVersion)},
		{"d", &zk.DeleteRequest{Path: below, Version: zkclient.AnyVersion}},
		// A setACL cannot be part of a multi. Those who have ADMIN by the list can read
		// a znode that lets them.
		{"", &zk.CreateRequest{Path: admin, Acl: admins}},
		{"a", zkclient.CheckOp(admin, zkclient.AnyVersion)},
		{"end", zkclient.CheckOp(at, math.MaxInt32)},
	}
	if len(admins) == 0 {
		return fmt.Errorf("%w: it gives no id the permission to change the ACL (a)", ErrLocksOut)
	}
	var ops []any
	for _, t := range tries {
		ops = append(ops, t.op)
	}
	results, err := conn.Multi(ctx, ops...)
	failed, _ := zkclient.FailedOp(results)
	switch {
	case failed == len(tries)-1 && errors.Is(err, zk.ErrBadVersion):
		return nil
	case errors.Is(err, zk.ErrInvalidACL):
		return refused(ctx, conn, folder, list)
	case failed >= 0 && tries[failed].needs != "" && errors.Is(err, revision.ErrForbidden):
		return lockedOut(ctx, conn, folder, tries[failed].needs)
	case err == nil:
		return fmt.Errorf("zkacl: ZooKeeper accepted a check of %s that cannot hold", at)
	}
	return fmt.Errorf("try the ACL in %s: %w", folder, err)
}

// refused says which entry of a list the server does not accept.
func refused(ctx context.Context, conn Session, folder string, list List) error {
	for _, a := range list {
		at := scratch(folder)
		_, err := conn.Multi(ctx, &zk.CreateRequest{Path: at, Acl: List{a}}, zkclient.CheckOp(at, math.MaxInt32))
		switch {
		case errors.Is(err, zk.ErrInvalidACL) && a.Scheme == "auth":
			return ErrAnonymous
		case errors.Is(err, zk.ErrInvalidACL):
			return fmt.Errorf("%w: ZooKeeper does not accept the entry %s; it may not know the scheme, or not this form of the id", ErrList, List{a}.Brief())
		}
	}
	return fmt.Errorf("%w: ZooKeeper does not accept it; leave entries out", ErrList)
}

// lockedOut says which permission is missing to whom.
func lockedOut(ctx context.Context, conn Session, folder, letter string) error {
	who := "its address alone"
	if known, err := whoAmI(ctx, conn, folder); err == nil {
		who = List(known).ids()
	}
	words := map[string]string{"c": "create (c)", "r": "read (r)", "w": "write (w)", "d": "delete (d)", "a": "change the ACL (a)"}
	return fmt.Errorf("%w: it does not let it %s; give all permissions, cdrwa, to it, whom ZooKeeper knows by %s", ErrLocksOut, words[letter], who)
}

// ids names the ids of a list, with hashes cut short.
func (l List) ids() string {
	var names []string
	for _, a := range l {
		names = append(names, a.Scheme+":"+shortID(a))
	}
	return strings.Join(names, " and ")
}

// readableByAdmins lets those read who have ADMIN.
func (l List) readableByAdmins() List {
	var admins List
	for _, a := range l {
		if a.Perms&zk.PermAdmin != 0 {
			admins = append(admins, zk.ACL{Scheme: a.Scheme, ID: a.ID, Perms: zk.PermRead})
		}
	}
	return admins
}
