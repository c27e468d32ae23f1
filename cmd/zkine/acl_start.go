package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// checkACL refuses a list that would lock this zkine out of what it creates, and
// looks whether what is there already is open to more than the list lets in. It
// waits while ZooKeeper cannot be reached. What is closed to this zkine is for the
// log to tell, which needs it.
func (i *instance) checkACL(ctx context.Context) error {
	list := zkacl.List(i.security.acl)
	if list == nil || list.Against(zk.WorldACL(zk.PermAll)) == zkacl.Same {
		return nil
	}
	defer logWhile(i.log, func() string { return "waiting for ZooKeeper, to look at ACLs" })()
	ensemble := i.ensemble()
	return keepTrying(ctx, i.log, "the ACLs could not be looked at; trying again", func() (final bool, err error) {
		err = i.checkACLOn(ctx, ensemble, list)
		if final = errors.As(err, new(*problem)); !final && err != nil {
			i.startup.Waiting(err)
		}
		return final, err
	})
}

func (i *instance) checkACLOn(ctx context.Context, dialer zkclient.Dialer, list zkacl.List) error {
	conn, err := dialer.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	session, err := zkacl.SessionOf(conn)
	if err != nil {
		return err
	}
	root := i.cfg.root
	nearest, _, err := zkroot.Nearest(ctx, conn, root)
	if err != nil {
		return err
	}
	err = zkacl.Try(ctx, session, nearest, list)
	switch {
	case errors.Is(err, zkacl.ErrLocksOut), errors.Is(err, zkacl.ErrAnonymous), errors.Is(err, zkacl.ErrList):
		return about("--zookeeper-acl", err)
	case errors.Is(err, revision.ErrForbidden):
		return nil
	case err != nil || nearest != root:
		return err
	}
	expanded, err := zkacl.Expand(ctx, session, root, list)
	if err != nil {
		return err
	}
	return i.judgeRoot(ctx, conn, session, expanded)
}

// judgeRoot warns of znodes under a root that someone may touch whom the list does
// not let, or refuses them.
func (i *instance) judgeRoot(ctx context.Context, conn zkclient.Conn, session zkacl.Session, list zkacl.List) error {
	root := i.cfg.root
	sample, err := zkacl.Sample(ctx, conn, root)
	if err != nil {
		return err
	}
	survey, err := zkacl.VerifySome(ctx, session, root, sample, list)
	if err != nil {
		return err
	}
	weak := slices.DeleteFunc(slices.Clone(survey.Findings), func(f zkacl.Finding) bool { return f.Closed != nil || !f.ACL.Exceeds(list) })
	if len(weak) > 0 {
		p := &problem{
			thing:  "root " + root,
			what:   fmt.Sprintf("its znodes are open to more than --zookeeper-acl says: %s, for one, has %s", weak[0].Path, weak[0].ACL.Brief()),
			remedy: "once all zkines of the root have this --zookeeper-acl, run zkine acl apply with the same flags",
		}
		if i.cfg.security.strict {
			return p
		}
		i.log.Warn(p)
	}
	for _, p := range zkacl.Above(root) {
		text, err := zkacl.JudgeParent(ctx, session, p, list)
		if err != nil {
			return err
		}
		if text != "" {
			i.log.Infof("%s, above the root: %s", p, text)
		}
	}
	return nil
}
