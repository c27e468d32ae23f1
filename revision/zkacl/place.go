package zkacl

import (
	"context"
	"errors"
	"path"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkroot"
)

// samplePer bounds how many znodes of each kind are looked at.
const samplePer = 4

// Sample lists some znodes of each kind under a root; those that no zkine of today
// would make again come first.
func Sample(ctx context.Context, conn interface {
	Children(context.Context, string) ([]string, error)
}, root string) ([]string, error) {
	l := zkroot.Layout{Root: root}
	folders := []string{l.Members(), l.Log(), l.Checkpoint(), l.StageRoot(), l.PackRoot()}
	sample := append([]string{root, l.Format(), l.Trust()}, folders...)
	for range 2 {
		var next []string
		for _, folder := range folders {
			names, err := conn.Children(ctx, folder)
			if errors.Is(err, zk.ErrNoNode) || errors.Is(err, revision.ErrForbidden) {
				continue
			}
			if err != nil {
				return nil, err
			}
			slices.Sort(names) // the oldest first
			for _, name := range names[:min(len(names), samplePer)] {
				next = append(next, folder+"/"+name)
			}
		}
		sample, folders = append(sample, next...), next
	}
	return sample, nil
}

// Above lists what is above a root, the nearest first.
func Above(root string) (paths []string) {
	for p := path.Dir(root); ; p = path.Dir(p) {
		if paths = append(paths, p); p == "/" {
			return paths
		}
	}
}

// JudgeParent says what others may do by the ACL of a znode above the root; "" for
// nothing. The right to delete a znode is its parent's to give, and ends where
// something is below the znode.
func JudgeParent(ctx context.Context, conn Session, parent string, wanted List) (string, error) {
	acl, _, err := conn.GetACL(ctx, parent)
	if errors.Is(err, revision.ErrForbidden) {
		return "", nil // closed, and so no others' business here
	}
	if err != nil {
		return "", err
	}
	var others []string
	for _, a := range acl {
		own := List{{Scheme: a.Scheme, ID: a.ID, Perms: a.Perms & (zk.PermCreate | zk.PermDelete | zk.PermAdmin)}}
		if own.Exceeds(wanted) {
			others = append(others, own.Brief())
		}
	}
	if len(others) == 0 {
		return "", nil
	}
	text := others[0]
	for _, o := range others[1:] {
		text += ";" + o
	}
	return "others may touch what lies directly below it, while that is empty: " + text +
		"; a root that holds something they can neither delete nor read", nil
}
