package zktest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEnsembleSurvivesItsLeader(t *testing.T) {
	began := time.Now()
	e := StartEnsemble(t, 3)
	t.Logf("an ensemble of three serves after %v", time.Since(began))
	leader := e.Leader()
	create(t, client(t, e.Follower().Addr()), "/a")

	began = time.Now()
	leader.Kill()
	next := e.Leader()
	t.Logf("a new leader serves after %v", time.Since(began))
	require.NotSame(t, leader, next)
	create(t, client(t, next.Addr()), "/b")

	leader.Restart()
	require.Equal(t, "follower", leader.Mode())
	conn := client(t, leader.Addr())
	_, err := conn.Sync("/")
	require.NoError(t, err)
	require.True(t, exists(t, conn, "/b"))
	conn.Close()

	e.Restart()
	require.True(t, exists(t, client(t, e.Leader().Addr()), "/b"))
}
