package zklog_test

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
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// answering is a dialer to an ensemble in memory, some of whose multis are
// answered with a code instead of being run.
type answering struct {
	zkclient.Dialer
	// which says what to answer to a multi; nil to run it.
	which atomic.Pointer[func(ops []any) error]
	// first, if set, is the answer to the first request of each session.
	first atomic.Pointer[error]

	multis, answered, dials atomic.Int64
}

func (d *answering) Dial(ctx context.Context) (zkclient.Conn, error) {
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
	zkclient.Conn
	d     *answering
	asked sync.Once
}

func (c *answeringConn) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	c.d.multis.Add(1)
	if which := c.d.which.Load(); which != nil {
		if err := (*which)(ops); err != nil {
			c.d.answered.Add(1)
			return nil, zkclient.Named("/zkine", err)
		}
	}
	return c.Conn.Multi(ctx, ops...)
}

func (c *answeringConn) Get(ctx context.Context, path string) (data []byte, stat *zk.Stat, err error) {
	if first := c.d.first.Load(); first != nil {
		c.asked.Do(func() { err = zkclient.Named(path, *first) })
		if err != nil {
			c.d.answered.Add(1)
			return nil, nil, err
		}
	}
	return c.Conn.Get(ctx, path)
}

// clientErrors are those that ZooKeeper's Go client has for codes that may pass,
// or are refused; for all others it says "unknown error".
var clientErrors = map[int]error{
	-8: zk.ErrBadArguments, -100: zk.ErrAPIError, -102: zk.ErrNoAuth, -108: zk.ErrNoChildrenForEphemerals,
	-112: zk.ErrSessionExpired, -114: zk.ErrInvalidACL, -115: zk.ErrAuthFailed, -116: zk.ErrClosing,
	-117: zk.ErrNothing, -118: zk.ErrSessionMoved, -123: zk.ErrReconfigDisabled,
}

// clientError is what the Go client says to a code.
func clientError(number int) error {
	if err := clientErrors[number]; err != nil {
		return err
	}
	return fmt.Errorf("unknown error: %v", zk.ErrCode(number))
}

// unknownCode is a code that no ZooKeeper has.
const unknownCode = -4711

// TestCodesAnsweredToAppends has an ensemble answer to every append with one
// code, for a minute, while a client writes as fast as it is let; then no more.
// A client hears what it must, ZooKeeper is not asked more than a few times a
// second, and everything goes on by itself.
func TestCodesAnsweredToAppends(t *testing.T) {
	numbers := []int{-1, -2, -3, -4, -5, -6, -7, -8, -12, -13, -14, -100, -102, -108, -112, -113, -114, -115, -116, -117,
		-118, -119, -120, -121, -122, -123, -124, -125, -127, unknownCode}
	for _, number := range numbers {
		code := zkclient.CodeOf(clientError(number))
		require.NotNil(t, code, number)
		require.NotEqual(t, zkclient.Expected, code.Does, "the greeting of the next session judges it; see append_test.go")
		t.Run(fmt.Sprint(number), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { appendsAnsweredWith(t, number, code) })
		})
	}
}

// sentinelOf is what an append fails with that is answered with a code.
func sentinelOf(number int, code *zkclient.Code) error {
	switch {
	case number == -125:
		return revision.ErrQuota
	case code.Does == zkclient.Stop:
		return revision.ErrForbidden
	case code.Does == zkclient.Refuse:
		return revision.ErrRefused
	}
	return nil
}

func appendsAnsweredWith(t *testing.T, number int, code *zkclient.Code) {
	sentinel := sentinelOf(number, code)
	d := &answering{Dialer: memzk.New()}
	r := openLog(t, zklog.Config{Dialer: d})
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
		case zkclient.Stop:
			require.ErrorIs(t, err, sentinel)
			r.until("it stops", func(_ []revision.Slot, err error) bool { return errors.Is(err, sentinel) })
			return
		case zkclient.Refuse:
			require.ErrorIs(t, err, sentinel)
			require.NotErrorIs(t, err, revision.ErrUnknown)
			require.Less(t, time.Since(asked), time.Second, "clients are told at once")
			require.ErrorIs(t, r.log.Refused(), sentinel)
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
	if code.Does == zkclient.Redial {
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
		require.ErrorIs(t, err, sentinel)
		time.Sleep(10 * time.Millisecond)
	}
	require.Less(t, time.Since(ended), 4*time.Second)
	require.NoError(t, r.log.Refused())
}

// TestCodesAnsweredToEverySession has an ensemble answer to the first request of
// each session with one code, as a server that demands authentication does.
func TestCodesAnsweredToEverySession(t *testing.T) {
	for _, number := range []int{-124, -115, -5, -119, -127, unknownCode} {
		t.Run(fmt.Sprint(number), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { sessionsAnsweredWith(t, number) })
		})
	}
}

func sessionsAnsweredWith(t *testing.T, number int) {
	e := memzk.New()
	d := &answering{Dialer: e}
	r := openLog(t, zklog.Config{Dialer: d})
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
		require.ErrorContains(t, r.log.Refused(), "--zookeeper-auth-file")
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
	r := openLog(t, zklog.Config{Dialer: d})
	seq := r.append(batchOf(put("k", "v"))).Seq
	d.answer(func([]any) error { return clientError(-125) })
	require.ErrorIs(t, r.log.Seal(t.Context(), seq.Segment), revision.ErrQuota)
	require.EqualValues(t, 1, d.answered.Load())
}
