package zklog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// TestServersThatDemandAuthentication opens a log on a ZooKeeper that serves
// no client that it does not know: the demand is named, with its remedy, and the
// server is not pestered.
func TestServersThatDemandAuthentication(t *testing.T) {
	for name, demand := range map[string][]zktest.Option{
		"SASL": {zktest.WithProperty("sessionRequireClientSASLAuth", "true"),
			zktest.WithProperty("authProvider.sasl", "org.apache.zookeeper.server.auth.SASLAuthenticationProvider")},
		"digest": {zktest.WithProperty("enforce.auth.enabled", "true"), zktest.WithProperty("enforce.auth.schemes", "digest")},
	} {
		t.Run(name, func(t *testing.T) {
			server := zktest.Start(t, demand...)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			noted := make(chan error, 1000)
			_, err := zklog.Open(ctx, zklog.Config{Dialer: dialer(server.Addr()), Root: "/zkine", Log: quiet(),
				Noted: func(err error) { noted <- err }})
			require.ErrorIs(t, err, revision.ErrUnauthenticated)
			require.ErrorContains(t, err, "SESSIONCLOSEDREQUIRESASLAUTH (-124)")
			require.ErrorContains(t, err, "name credentials that the server knows with --zookeeper-auth-file")
			sessions := len(noted)
			require.Positive(t, sessions)
			require.LessOrEqual(t, sessions, 10, "in five seconds")
			require.True(t, errors.Is(<-noted, revision.ErrUnauthenticated), "the first is told already")
			t.Logf("%d sessions in five seconds", sessions)
		})
	}
}
