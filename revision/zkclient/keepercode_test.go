package zkclient

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
)

// zooKeeperCodes is KeeperException.Code of ZooKeeper 3.9.6 without OK, and the
// two that the Go client has besides: CLOSING and NOTHING.
var zooKeeperCodes = map[int]string{
	-1: "SYSTEMERROR", -2: "RUNTIMEINCONSISTENCY", -3: "DATAINCONSISTENCY", -4: "CONNECTIONLOSS", -5: "MARSHALLINGERROR",
	-6: "UNIMPLEMENTED", -7: "OPERATIONTIMEOUT", -8: "BADARGUMENTS", -12: "UNKNOWNSESSION", -13: "NEWCONFIGNOQUORUM",
	-14: "RECONFIGINPROGRESS", -100: "APIERROR", -101: "NONODE", -102: "NOAUTH", -103: "BADVERSION",
	-108: "NOCHILDRENFOREPHEMERALS", -110: "NODEEXISTS", -111: "NOTEMPTY", -112: "SESSIONEXPIRED", -113: "INVALIDCALLBACK",
	-114: "INVALIDACL", -115: "AUTHFAILED", -116: "CLOSING", -117: "NOTHING", -118: "SESSIONMOVED", -119: "NOTREADONLY",
	-120: "EPHEMERALONLOCALSESSION", -121: "NOWATCHER", -122: "REQUESTTIMEOUT", -123: "RECONFIGDISABLED",
	-124: "SESSIONCLOSEDREQUIRESASLAUTH", -125: "QUOTAEXCEEDED", -127: "THROTTLEDOP",
}

// strange is a code that no ZooKeeper has.
const strange = -4711

// clientError is what the Go client says to a code.
func clientError(number int) error {
	if c := byNumber(number); c != nil && c.client != nil {
		return c.client
	}
	return fmt.Errorf("unknown error: %v", zk.ErrCode(number))
}

// byNumber is the row of a code, nil if there is none.
func byNumber(number int) *Code {
	for i := range keeperCodes {
		if int(keeperCodes[i].number) == number {
			return &keeperCodes[i]
		}
	}
	return nil
}

func TestEachCodeOfZooKeeperIsKnown(t *testing.T) {
	names := map[int]string{}
	for _, c := range keeperCodes {
		names[int(c.number)] = c.name
	}
	require.Equal(t, zooKeeperCodes, names)
	for _, c := range keeperCodes {
		number := int(c.number)
		err := Named("/zkine/log", clientError(number))
		require.ErrorIs(t, fmt.Errorf("wrapped: %w", err), err)
		require.Equal(t, c.Definite, Definite(err), c.name)
		require.Equal(t, c.Definite, Definite(clientError(number)), c.name)
		var words *KeeperError
		if c.Does == Expected {
			require.Equal(t, clientError(number), err, "callers compare it")
			continue
		}
		require.ErrorAs(t, err, &words)
		require.Equal(t, number, words.Code())
		require.ErrorContains(t, err, fmt.Sprintf("%s (%d) for /zkine/log: ", c.name, number))
		if c.remedy != "" {
			require.ErrorContains(t, err, "; "+c.remedy)
			require.NotContains(t, c.remedy, ": ", "cmd/zkine would cut it there")
			require.NotContains(t, c.remedy, "; ")
		}
		if c.sentinel != nil {
			require.ErrorIs(t, err, c.sentinel)
		}
		if c.Does == Refuse {
			require.True(t, c.Definite, "%s: what clients hear as refused is not in the log", c.name)
			require.ErrorIs(t, err, revision.ErrRefused)
		}
	}
	err := Named("/zkine/log", clientError(strange))
	require.ErrorContains(t, err, "(-4711)")
	require.False(t, Definite(err))
	require.False(t, Definite(errors.New("read tcp: connection reset by peer")))
	require.True(t, Definite(zk.ErrNoServer))
}

// TestAClosedClientIsNoAnswer closes a session under a call. The client has an
// error for that with a number among ZooKeeper's, which no server has sent.
func TestAClosedClientIsNoAnswer(t *testing.T) {
	lost := errors.New("the connection was lost")
	for range 1000 { // what a call hears first is up to chance
		c := &zkConn{done: make(chan struct{})}
		_, err := call(t.Context(), c, func() (struct{}, error) {
			c.mu.Lock()
			c.err = lost
			c.mu.Unlock()
			close(c.done)
			return struct{}{}, Named("/zkine", zk.ErrClosing)
		})
		require.ErrorIs(t, err, lost)
		require.NotErrorIs(t, err, zk.ErrClosing)
	}
}
