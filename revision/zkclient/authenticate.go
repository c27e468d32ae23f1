package zkclient

import (
	"context"
	"fmt"

	"github.com/zkine/zkine/revision"
)

// authenticate shows each credential, in the order of the auth file. It comes
// before all other calls of the session, so that nothing is created without them.
// Errors: ErrUnauthenticated if the server does not accept one, which it does not
// say if the connection ends first.
func (c *zkConn) authenticate(ctx context.Context) error {
	for _, credential := range c.show {
		_, err := call(ctx, c, func() (struct{}, error) {
			return struct{}{}, c.zk.AddAuth(credential.Scheme, credential.Secret)
		})
		switch {
		case err == nil:
		case CodeOf(err) != nil:
			return fmt.Errorf("%w: %w: it does not accept a credential of scheme %s: %w", errTurnsAway, revision.ErrUnauthenticated, credential.Scheme, err)
		default:
			select {
			case <-c.done:
				return c.early()
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}
