package zkclient

import (
	"context"
	"fmt"

	"github.com/zkine/zkine/revision"
)

// authenticate shows each credential, in the order of the auth file. It comes
// before all other calls of the session, so that nothing is created without them.
func (c *zkConn) authenticate(ctx context.Context) error {
	for _, credential := range c.show {
		_, err := call(ctx, c, func() (struct{}, error) {
			return struct{}{}, c.zk.AddAuth(credential.Scheme, credential.Secret)
		})
		if err != nil {
			return fmt.Errorf("%w: %w: it did not accept a credential of scheme %s: %w", errTurnsAway, revision.ErrUnauthenticated, credential.Scheme, err)
		}
	}
	return nil
}
