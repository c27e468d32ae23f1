package server

import (
	"context"

	"google.golang.org/protobuf/proto"
)

// fakeAuth is the AuthBackend of an etcd without authentication; its calls are
// tested on the real one.
type fakeAuth struct {
	AuthBackend
	// err is what every question for permission is answered with.
	err error
}

func (*fakeAuth) AuthEnabled() bool                                { return false }
func (a *fakeAuth) Authorize(context.Context, proto.Message) error { return a.err }
