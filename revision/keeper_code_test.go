package revision_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
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
	if c := revision.KnownCodes()[number].Client; c != nil {
		return c
	}
	return fmt.Errorf("unknown error: %v", zk.ErrCode(number))
}

func TestEachCodeOfZooKeeperIsKnown(t *testing.T) {
	known := revision.KnownCodes()
	names := map[int]string{}
	for number, c := range known {
		names[number] = c.Name
	}
	require.Equal(t, zooKeeperCodes, names)
	for number, c := range known {
		err := revision.Named("/zkine/log", clientError(number))
		require.ErrorIs(t, fmt.Errorf("wrapped: %w", err), err)
		require.Equal(t, c.Definite, revision.Definite(err), c.Name)
		require.Equal(t, c.Definite, revision.Definite(clientError(number)), c.Name)
		var words *revision.KeeperError
		if c.Does == revision.Expected {
			require.Equal(t, clientError(number), err, "callers compare it")
			continue
		}
		require.ErrorAs(t, err, &words)
		require.Equal(t, number, words.Code())
		require.ErrorContains(t, err, fmt.Sprintf("%s (%d) for /zkine/log: ", c.Name, number))
		if c.Remedy != "" {
			require.ErrorContains(t, err, "; "+c.Remedy)
			require.NotContains(t, c.Remedy, ": ", "cmd/zkine would cut it there")
			require.NotContains(t, c.Remedy, "; ")
		}
		if c.Sentinel != nil {
			require.ErrorIs(t, err, c.Sentinel)
		}
		if c.Does == revision.Refuse {
			require.True(t, c.Definite, "%s: what clients hear as refused is not in the log", c.Name)
			require.ErrorIs(t, err, revision.ErrRefused)
		}
	}
	err := revision.Named("/zkine/log", clientError(strange))
	require.ErrorContains(t, err, "(-4711)")
	require.False(t, revision.Definite(err))
	require.False(t, revision.Definite(errors.New("read tcp: connection reset by peer")))
	require.True(t, revision.Definite(zk.ErrNoServer))
}

// answering is a dialer to an ensemble in memory, some of whose multis are
// answered with a code instead of being run.
type answering struct {
	revision.Dialer
	// which says what to answer to a multi; nil to run it.
	which atomic.Pointer[func(ops []any) error]
	// first, if set, is the answer to the first request of each session.
	first atomic.Pointer[error]

	multis, answered, dials atomic.Int64
}

func (d *answering) Dial(ctx context.Context) (revision.Conn, error) {
	d.dials.Add(1)
	conn, err := d.Dialer.Dial(ctx)
	return &answeringConn{Conn: conn, d: d}, err
}

func (d *answering) answer(f func(ops []any) error) {
	if f == nil {
		d.which.Store(nil)
		return
	}
	d.which.Store(&f)
}

// slots answers to appends.
func slots(err error) func([]any) error {
	return func(ops []any) error {
		if create, ok := ops[len(ops)-1].(*zk.CreateRequest); ok && create.Flags == zk.FlagSequence {
			return err
		}
		return nil
	}
}

type answeringConn struct {
	revision.Conn
	d     *answering
	asked sync.Once
}

func (c *answeringConn) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	c.d.multis.Add(1)
	if which := c.d.which.Load(); which != nil {
		if err := (*which)(ops); err != nil {
			c.d.answered.Add(1)
			return nil, revision.Named(revision.PathOf(ops[len(ops)-1]), err)
		}
	}
	return c.Conn.Multi(ctx, ops...)
}

func (c *answeringConn) Get(ctx context.Context, path string) (data []byte, stat *zk.Stat, err error) {
	if first := c.d.first.Load(); first != nil {
		c.asked.Do(func() { err = revision.Named(path, *first) })
		if err != nil {
			c.d.answered.Add(1)
			return nil, nil, err
		}
	}
	return c.Conn.Get(ctx, path)
}

// TestCodesAnsweredToAppends has an ensemble answer to every append with one
// code, for a minute, while a client writes as fast as it is let; then no more.
// A client hears what it must, ZooKeeper is not asked more than a few times a
// second, and everything goes on by itself.
func TestCodesAnsweredToAppends(t *testing.T) {
	numbers := []int{strange}
	for number := range zooKeeperCodes {
		numbers = append(numbers, number)
	}
	for _, number := range numbers {
		code, known := revision.KnownCodes()[number]
		if !known {
			code = revision.KnownCode{Name: "strange", Does: revision.Again}
		}
		if code.Does == revision.Expected {
			continue // the greeting of the next session judges it; see append_test.go
		}
		t.Run(code.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { appendsAnsweredWith(t, number, code) })
		})
	}
}

func appendsAnsweredWith(t *testing.T, number int, code revision.KnownCode) {
	d := &answering{Dialer: memzk.New()}
	r := openLog(t, revision.Config{Dialer: d})
	r.append(batchOf(put("before", "v")))
	sessions := d.dials.Load()
	d.answer(slots(clientError(number)))

	refused, began := 0, time.Now()
	for time.Since(began) < time.Minute {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		asked := time.Now()
		_, err := r.log.Append(ctx, batchOf(put("k", "v")))
		cancel()
		require.Error(t, err)
		switch code.Does {
		case revision.Stop:
			require.ErrorIs(t, err, code.Sentinel)
			r.until("it stops", func(_ []revision.Slot, err error) bool { return errors.Is(err, code.Sentinel) })
			return
		case revision.Refuse:
			require.ErrorIs(t, err, code.Sentinel)
			require.NotErrorIs(t, err, revision.ErrUnknown)
			require.Less(t, time.Since(asked), time.Second, "clients are told at once")
			require.ErrorIs(t, r.log.Refused(), code.Sentinel)
			refused++
			time.Sleep(10 * time.Millisecond) // a client that asks again
		default:
			require.ErrorIs(t, err, context.DeadlineExceeded)
			if code.Definite {
				require.NotErrorIs(t, err, revision.ErrUnknown)
			} else {
				require.ErrorIs(t, err, revision.ErrUnknown)
			}
		}
		_, err = r.log.Barrier(t.Context())
		require.NoError(t, err, "reads go on")
	}
	require.LessOrEqual(t, d.answered.Load(), int64(3*60), "ZooKeeper is asked now and then")
	require.GreaterOrEqual(t, d.answered.Load(), int64(20), "but it is asked")
	if code.Does == revision.Anew {
		require.LessOrEqual(t, d.dials.Load()-sessions, int64(3*60))
	} else {
		require.Equal(t, sessions, d.dials.Load(), "the session stays")
	}

	d.answer(nil)
	ended := time.Now()
	for {
		_, err := r.log.Append(t.Context(), batchOf(put("after", "v")))
		if err == nil {
			break
		}
		require.ErrorIs(t, err, code.Sentinel)
		time.Sleep(10 * time.Millisecond)
	}
	require.Less(t, time.Since(ended), 4*time.Second)
	require.NoError(t, r.log.Refused())
}

// TestCodesAnsweredToEverySession has an ensemble answer to the first request of
// each session with one code, as a server that demands authentication does.
func TestCodesAnsweredToEverySession(t *testing.T) {
	for _, number := range []int{-124, -115, -5, -119, -127, strange} {
		t.Run(fmt.Sprint(number), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { sessionsAnsweredWith(t, number) })
		})
	}
}

func sessionsAnsweredWith(t *testing.T, number int) {
	e := memzk.New()
	d := &answering{Dialer: e}
	r := openLog(t, revision.Config{Dialer: d})
	sessions := d.dials.Load()
	answer := clientError(number)
	d.first.Store(&answer)
	e.Cut()
	synctest.Wait()
	began := time.Now()
	for time.Since(began) < time.Minute {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		require.Error(t, r.log.AwaitConnected(ctx))
		cancel()
	}
	require.ErrorContains(t, r.log.Connected(), fmt.Sprintf("(%d)", number), "it is named")
	require.LessOrEqual(t, d.dials.Load()-sessions, int64(2*60))
	if number == -124 {
		require.ErrorIs(t, r.log.Refused(), revision.ErrUnauthenticated)
		require.ErrorContains(t, r.log.Refused(), "sessionRequireClientSASLAuth")
	}
	d.first.Store(nil)
	ended := time.Now()
	r.append(batchOf(put("after", "v")))
	require.Less(t, time.Since(ended), 4*time.Second)
	require.NoError(t, r.log.Refused())
}

// TestSealEndsWhereItIsRefused: a Defragment must not try for ever.
func TestSealEndsWhereItIsRefused(t *testing.T) {
	d := &answering{Dialer: memzk.New()}
	r := openLog(t, revision.Config{Dialer: d})
	seq := r.append(batchOf(put("k", "v"))).Seq
	d.answer(func([]any) error { return clientError(-125) })
	require.ErrorIs(t, r.log.Seal(t.Context(), seq.Segment), revision.ErrQuota)
	require.EqualValues(t, 1, d.answered.Load())
}

// TestAClosedClientIsNoAnswer closes a session under a call. The client has an
// error for that with a number among ZooKeeper's, which no server has sent.
func TestAClosedClientIsNoAnswer(t *testing.T) {
	lost := errors.New("the connection was lost")
	for range 1000 { // what a call hears first is up to chance
		err := revision.CallOnLost(lost, zk.ErrClosing)
		require.ErrorIs(t, err, lost)
		require.NotErrorIs(t, err, zk.ErrClosing)
	}
}
