package clients

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	recipe "go.etcd.io/etcd/client/v3/experimental/recipes"
)

// Barriers let go of all who wait at once.
func TestBarriers(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		b := recipe.NewBarrier(c, "barrier")
		require.NoError(t, b.Hold())
		passed := make(chan error, 3)
		for range cap(passed) {
			go func() { passed <- recipe.NewBarrier(c, "barrier").Wait() }()
		}
		require.Empty(t, passed)
		require.NoError(t, b.Release())
		for range cap(passed) {
			require.NoError(t, <-passed)
		}

		const members = 3
		entered := make(chan error, members)
		for range members {
			d := recipe.NewDoubleBarrier(session(t, c), "double", members)
			go func() {
				err := d.Enter()
				if err == nil {
					err = d.Leave()
				}
				entered <- err
			}()
		}
		for range members {
			require.NoError(t, <-entered)
		}
	})
}

// What goes into a queue comes out once, in its order.
func TestQueues(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		fifo, byPriority := recipe.NewQueue(c, "fifo"), recipe.NewPriorityQueue(c, "priority")
		for i := range 5 {
			require.NoError(t, fifo.Enqueue(fmt.Sprint(i)))
			require.NoError(t, byPriority.Enqueue(fmt.Sprint(i), uint16(9-i)))
		}
		for i := range 5 {
			next, err := fifo.Dequeue()
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), next)
			next, err = byPriority.Dequeue()
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(4-i), next)
		}
		waits := make(chan string, 1)
		go func() {
			next, err := recipe.NewQueue(c, "fifo").Dequeue()
			waits <- fmt.Sprint(next, err)
		}()
		require.NoError(t, fifo.Enqueue("late"))
		require.Equal(t, "late<nil>", <-waits)
	})
}

// Readers share a lock, a writer has it alone.
func TestRWMutex(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		one, two, writer := recipe.NewRWMutex(session(t, c), "rw"), recipe.NewRWMutex(session(t, c), "rw"), recipe.NewRWMutex(session(t, c), "rw")
		require.NoError(t, one.RLock())
		require.NoError(t, two.RLock())
		got := make(chan error, 1)
		go func() { got <- writer.Lock() }()
		eventually(t, "the writer does not wait", func() bool { return count(t, c, "rw/") == 3 })
		require.NoError(t, one.RUnlock())
		require.Empty(t, got)
		require.NoError(t, two.RUnlock())
		require.NoError(t, <-got)
		require.NoError(t, writer.Unlock())
	})
}
