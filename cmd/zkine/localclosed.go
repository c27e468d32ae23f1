package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/throttle"
	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkclient/identity"
)

// localSecurity is how the local ZooKeeper is met by the zkine that serves: as
// the owner of all that is there.
func localSecurity(server *embedded.Server) security {
	return localAs(server, server.Credential())
}

// superSecurity is localSecurity for a command, which finds the ACLs as they are:
// those of an earlier release, of a secret that was lost, or half moved.
func superSecurity(server *embedded.Server) security { return localAs(server, server.Superuser()) }

func localAs(server *embedded.Server, c identity.Credential) security {
	show := []identity.Credential{c}
	return security{credentials: func() []identity.Credential { return show }, acl: []zk.ACL{server.Owner()}}
}

const (
	// localSession is the session timeout while the local ZooKeeper is closed.
	localSession = 10 * time.Second
	// closeAgain is how long to pause after a session that was lost.
	closeAgain = 500 * time.Millisecond
)

// closeLocal gives everything in the local ZooKeeper to its zkine alone, if that
// is not done: in a new one, in one of an earlier release, after its secret was
// replaced. It goes on until it is done, ctx ends, or ZooKeeper refuses it.
func closeLocal(ctx context.Context, server *embedded.Server, maxRequest int, log *logrus.Entry) error {
	zookeeper := superSecurity(server).secure(&zkclient.Ensemble{
		Servers: []string{server.Addr()}, Timeout: localSession, MaxRequest: maxRequest, Log: log,
	})
	var said throttle.Lines
	for {
		err := closeOnce(ctx, zookeeper, server, log)
		if err == nil {
			return nil
		}
		if code := zkclient.CodeOf(err); code != nil && (code.Does == zkclient.Refuse || code.Does == zkclient.Stop) {
			return about("local ZooKeeper", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if left, ok := said.Allow("again"); ok {
			log.WithError(err).Warn("closing the local ZooKeeper to other users of this host begins again" + left)
		}
		select {
		case <-time.After(closeAgain):
		case <-ctx.Done():
		}
	}
}

func closeOnce(ctx context.Context, dialer zkclient.Dialer, server *embedded.Server, log *logrus.Entry) error {
	conn, err := dialer.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	super, ok := conn.(zkacl.SuperSession)
	if !ok {
		return fmt.Errorf("a %T has no ACLs", conn)
	}
	closed, err := zkacl.Closed(ctx, super, server.Owner())
	if closed || err != nil {
		return err
	}
	all, err := server.Znodes(ctx)
	if err != nil {
		log.WithError(err).Debug("the local ZooKeeper does not tell how many znodes it has")
	}
	began, done := time.Now(), new(atomic.Int64)
	defer logWhile(log, func() string {
		return fmt.Sprintf("closing the local ZooKeeper to other users of this host: %d of %d znodes", done.Load(), all)
	})()
	if err := zkacl.Close(ctx, super, server.Owner(), done); err != nil {
		return err
	}
	log.Infof("closed the local ZooKeeper to other users of this host: %d znodes, in %v", done.Load(), time.Since(began).Round(time.Millisecond))
	return nil
}
