package wire

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

const mib = 1 << 20

// held is what is counted for large messages, and for how many connections anything is.
func (s *Sending) held() (large int64, conns int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.large, len(s.conns)
}

func take(t *testing.T, s *Sending, conn any, size int64) *Reserved {
	t.Helper()
	r, ok := s.Try(conn, size)
	require.True(t, ok)
	return r
}

func TestLargeMessagesAreBounded(t *testing.T) {
	s := NewSending(8 * mib)
	a := take(t, s, "a", 3*mib)
	_, ok := s.Try("a", 2*mib)
	require.False(t, ok, "a connection has half")
	take(t, s, "b", 4*mib)
	_, ok = s.Try("c", 2*mib)
	require.False(t, ok, "all together")
	take(t, s, "c", mib)
	take(t, s, "a", largeFrom-1).Release() // small ones never wait for large ones
	a.Release()
	take(t, s, "d", 3*mib)
}

func TestSmallMessagesAreBoundedByConnection(t *testing.T) {
	s := NewSending(8 * mib)
	for range 8 {
		take(t, s, "a", 128<<10)
	}
	_, ok := s.Try("a", 128<<10)
	require.False(t, ok)
	take(t, s, "b", 128<<10)
}

func TestAMessageLargerThanTheBoundGoesAlone(t *testing.T) {
	s := NewSending(8 * mib)
	whole := take(t, s, "a", 100*mib)
	_, ok := s.Try("b", mib)
	require.False(t, ok)
	whole.Release()
	take(t, s, "b", mib)
}

// TestMessagesGoInTurn: a large one is not overtaken for ever by those that fit, and
// nobody waits for a connection that waits for itself.
func TestMessagesGoInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSending(8 * mib)
		first, second := take(t, s, "a", 4*mib), take(t, s, "b", 3*mib)
		went := make(chan string, 10)
		wait := func(ctx context.Context, conn string, size int64) {
			go func() {
				_, err := s.Wait(ctx, conn, size)
				if err != nil {
					went <- err.Error()
					return
				}
				went <- conn
			}()
			synctest.Wait()
		}
		wait(t.Context(), "a", mib)   // its connection is full
		wait(t.Context(), "c", 4*mib) // there is no room for it
		wait(t.Context(), "d", mib)   // there would be
		require.Empty(t, went)
		_, ok := s.Try("e", mib)
		require.False(t, ok)
		first.Release()
		require.ElementsMatch(t, []string{"a", "c"}, []string{<-went, <-went})
		synctest.Wait()
		require.Empty(t, went) // 3 + 1 + 4 is all
		second.Release()
		require.Equal(t, "d", <-went)
	})
}

// taker is a connection that ends if it stalls.
type taker struct {
	sending *Sending
	stalled int64
}

func (c *taker) Stalled(bytes int64) {
	c.stalled = bytes
	c.sending.Ended(c)
}

// TestOneThatTakesNothingEndsForOthers, and neither one that takes what it gets, nor one
// whose message is not made yet, nor any while nobody waits for it.
func TestOneThatTakesNothingEndsForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSending(8 * mib)
		mute, slow, making := &taker{sending: s}, &taker{sending: s}, &taker{sending: s}
		take(t, s, mute, 2*mib).Sent(0)
		part := take(t, s, slow, 3*mib)
		part.Sent(0)
		take(t, s, making, 3*mib)
		time.Sleep(time.Hour)
		part.give(stallBytes)
		_, ok := s.Try(slow, 3*mib)
		require.False(t, ok)
		require.Zero(t, mute.stalled, "it is the connection's own bound")

		began := time.Now()
		part.give(stallBytes)
		_, err := s.Wait(t.Context(), "other", 2*mib)
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(began), 2*stallTick)
		require.EqualValues(t, 2*mib, mute.stalled)

		go func() {
			for range 6 {
				time.Sleep(stall / 2)
				part.give(stallBytes)
			}
		}()
		_, err = s.Wait(t.Context(), "more", 2*mib)
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(began), 3*stall)
		require.Zero(t, slow.stalled)
		require.Zero(t, making.stalled)
	})
}

// TestConnectionsTakeTurns: one that asks for much does not go before others.
func TestConnectionsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSending(8 * mib)
		all := take(t, s, "first", 8*mib)
		went := make(chan string, 10)
		wait := func(conn string) {
			go func() {
				r, err := s.Wait(t.Context(), conn, 8*mib)
				if err == nil {
					went <- conn
					time.Sleep(time.Second)
					r.Release()
				}
			}()
			synctest.Wait()
		}
		for range 3 {
			wait("greedy")
		}
		wait("modest")
		all.Release()
		require.Equal(t, []string{"greedy", "modest", "greedy", "greedy"}, []string{<-went, <-went, <-went, <-went})
		time.Sleep(time.Minute) // the last one gives back
	})
}

func TestAWaitEndsWithItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSending(8 * mib)
		all := take(t, s, "a", 8*mib)
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error)
		go func() {
			_, err := s.Wait(ctx, "b", mib)
			ended <- err
		}()
		synctest.Wait()
		cancel(gone)
		require.Equal(t, gone, <-ended)
		all.Release()
		large, conns := s.held()
		require.Zero(t, large)
		require.Zero(t, conns)
	})
}

func TestAConnectionThatHasEndedHoldsNothing(t *testing.T) {
	s := NewSending(8 * mib)
	late := take(t, s, "a", 4*mib)
	take(t, s, "b", 4*mib)
	s.Ended("a")
	again := take(t, s, "a", 2*mib)
	late.Release()
	large, conns := s.held()
	require.EqualValues(t, 6*mib, large)
	require.Equal(t, 2, conns)
	again.Release()
	_, conns = s.held()
	require.Equal(t, 1, conns)
}

// TestWhatIsReservedIsGivenBackWithTheBuffers, or with the garbage, once.
func TestWhatIsReservedIsGivenBackWithTheBuffers(t *testing.T) {
	list := &pb.RangeResponse{}
	for range 3000 {
		list.Kvs = append(list.Kvs, &mvccpb.KeyValue{Key: []byte("k"), Value: make([]byte, 1000)})
	}
	c := NewCodec(ignored{}, ignored{})
	s := NewSending(64 * mib)
	size := s.Size(list)
	plain, err := c.Marshal(list)
	require.NoError(t, err)
	require.EqualValues(t, plain.Len(), size)

	data, err := c.Marshal(take(t, s, "a", size).Message(list))
	require.NoError(t, err)
	require.Equal(t, plain.Materialize(), data.Materialize())
	data.Ref()
	data.Free()
	large, _ := s.held()
	require.Equal(t, size, large)
	data[0].Free()
	large, _ = s.held()
	require.Less(t, large, size)
	data[1:].Free()
	large, conns := s.held()
	require.Zero(t, large)
	require.Zero(t, conns)

	_, err = c.Marshal(take(t, s, "a", size).Message(list))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		runtime.GC()
		large, _ := s.held()
		return large == 0
	}, 10e9, 1e6)
}

type ignored struct{}

func (ignored) Add(float64) {}
