package server

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/server/v3rpc"
)

// Backend is what the facade needs of the state machine; *backend.Backend
// satisfies it. It is what etcd's services need, and what health, readiness and
// metrics ask besides.
type Backend interface {
	v3rpc.Backend

	// AuthEnabled says whether users and roles count.
	AuthEnabled() bool
	// Alarms are those of the state as it is here, without I/O.
	Alarms() []*pb.AlarmMember
	// ProbeLinearizable and ProbeSerializable are nil if such a read is answered.
	// It is the server's own, so that users do not count.
	ProbeLinearizable(ctx context.Context) error
	ProbeSerializable() error
	// Ready is nil while linearizable calls can be served, or says why not.
	Ready() error
	// Doubted gives a value soon after Ready, which said nil, has begun to say why
	// not, and may give more. It is for the readiness loop alone.
	Doubted() <-chan struct{}
	Status() v3rpc.Status
}
