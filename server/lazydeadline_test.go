package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errLate = errors.New("late")

type lazyKey struct{}

// A lazyDeadline behaves as one that context.WithTimeoutCause makes, whenever
// it is looked at first.
func TestTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), lazyKey{}, "v"))
		ctx := withTimeout(parent, time.Second, errLate)
		deadline, ok := ctx.Deadline()
		require.True(t, ok)
		require.Equal(t, time.Now().Add(time.Second), deadline)
		require.NoError(t, ctx.Err())
		require.Equal(t, "v", ctx.Value(lazyKey{}))

		child, stop := context.WithCancel(ctx)
		defer stop()
		time.Sleep(time.Second - time.Nanosecond)
		require.NoError(t, ctx.Err())
		time.Sleep(time.Nanosecond)
		<-child.Done()
		require.Equal(t, context.DeadlineExceeded, ctx.Err())
		require.Equal(t, errLate, context.Cause(ctx))
		require.Equal(t, errLate, context.Cause(child))
		require.Equal(t, "v", ctx.Value(lazyKey{}))
		ctx.release()
		require.Equal(t, errLate, context.Cause(ctx))

		// Looked at only after its time.
		ctx = withTimeout(parent, time.Second, errLate)
		time.Sleep(2 * time.Second)
		<-ctx.Done()
		require.Equal(t, errLate, context.Cause(ctx))
		ctx.release()

		// The parent ends, before Done is called and after.
		gone := errors.New("gone")
		early, waiting := withTimeout(parent, time.Hour, errLate), withTimeout(parent, time.Hour, errLate)
		waiting.Done()
		cancel(gone)
		for _, ctx := range []*lazyDeadline{early, waiting} {
			require.Equal(t, context.Canceled, ctx.Err())
			<-ctx.Done()
			require.Equal(t, gone, context.Cause(ctx))
			ctx.release()
		}

		// Released before anybody waited: nothing is left that could.
		ctx = withTimeout(t.Context(), time.Hour, errLate)
		ctx.release()
		ctx.Done()
		require.Nil(t, ctx.limited.Load())

		// A parent with less time.
		brief, done := context.WithTimeout(t.Context(), time.Second)
		defer done()
		deadline, _ = withTimeout(brief, time.Hour, errLate).Deadline()
		require.Equal(t, time.Now().Add(time.Second), deadline)
	})
}
