package server

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// fakeAuth is the AuthBackend of an etcd without authentication; its calls are
// tested on the real one.
type fakeAuth struct {
	AuthBackend
	// err is what every question for permission is answered with.
	err error
}

func (*fakeAuth) AuthEnabled() bool                                           { return false }
func (a *fakeAuth) RequireUser(context.Context) error                         { return a.err }
func (a *fakeAuth) RequireRoot(context.Context) error                         { return a.err }
func (a *fakeAuth) PermitWatch(context.Context, *pb.WatchCreateRequest) error { return a.err }
