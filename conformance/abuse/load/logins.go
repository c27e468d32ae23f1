package load

import (
	"context"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

const (
	// loginClients is how many clients log in at once.
	loginClients = 20
	// nameSize is of a user's name that is too large for any log.
	nameSize = 1 << 20
	// nameCount is how many such names there are.
	nameCount = 20
)

// loginLargeNames tries a few users with names of 1 MiB, one after the other.
func loginLargeNames(ctx context.Context, j Job, t *Tally) error {
	conn, err := dialGRPC(j)
	if err != nil {
		return err
	}
	defer conn.Close()
	name := strings.Repeat("n", nameSize)
	for range nameCount {
		if !pause(ctx, 100*time.Millisecond) {
			return nil
		}
		_, err := pb.NewAuthClient(conn).Authenticate(ctx, &pb.AuthenticateRequest{Name: name, Password: "a"})
		answered(ctx, t, err)
	}
	<-ctx.Done()
	return nil
}

// loginWrong tries wrong passwords of a user who exists.
func loginWrong(ctx context.Context, j Job, t *Tally) error {
	return workers(ctx, loginClients, func(ctx context.Context, _ int) error {
		conn, err := dialGRPC(j)
		if err != nil {
			return err
		}
		defer conn.Close()
		for ctx.Err() == nil {
			_, err := pb.NewAuthClient(conn).Authenticate(ctx, &pb.AuthenticateRequest{Name: User, Password: "wrong"})
			answered(ctx, t, err)
		}
		return nil
	})
}
