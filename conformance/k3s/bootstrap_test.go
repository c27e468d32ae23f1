package k3s

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// data is as large as k3s' is: eight authorities with keys, passwords, the encryption's configuration.
var data = []byte(`{"ServerCA":"` + strings.Repeat("certificate ", 2000) + `"}`)

// TestFirstAndSecondServer goes through the start of a cluster, by each way to the store.
func TestFirstAndSecondServer(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		for name, d := range map[string]Datastore{"http": s.plain, "https": s.secure} {
			token := "token-" + name
			first := server(t, d, token)
			found, err := first.Begin(within(t))
			require.NoError(t, err)
			require.Nil(t, found, "it makes the data itself")
			locked, err := first.Store.Get(within(t), keyOf(token))
			require.NoError(t, err)
			require.Empty(t, locked.Data)
			require.NoError(t, first.Save(within(t), data, false))

			second := server(t, d, token)
			found, err = second.Begin(within(t))
			require.NoError(t, err)
			require.Equal(t, data, found)

			again := server(t, d, token)
			require.NoError(t, again.Save(within(t), []byte("other"), false), "what is there stays")
			found, err = again.Begin(within(t))
			require.NoError(t, err)
			require.Equal(t, data, found)

			without := server(t, d, "another one")
			_, err = without.Begin(within(t))
			require.ErrorIs(t, err, errToken)
			require.NoError(t, first.Store.Delete(within(t), keyOf(token), modified(t, first)))
		}
	})
}

// modified is the revision of what a server's token leads to.
func modified(t *testing.T, s Server) int64 {
	t.Helper()
	value, err := s.Store.Get(within(t), keyOf(s.Token))
	require.NoError(t, err)
	return value.Modified
}

// TestWithoutACertificate shows that the https endpoints are closed to those that show none, and that kine's client says so
// within its time.
func TestWithoutACertificate(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		d := s.secure
		d.CertFile, d.KeyFile = "", ""
		c := connect(t, d)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := c.List(ctx, prefix, 0)
		require.Error(t, err)
		_, err = connect(t, s.secure).List(within(t), prefix, 0)
		require.NoError(t, err)
	})
}

// TestServersRace starts servers at once, each with a client of its own: one makes the data, the others read it.
func TestServersRace(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		var made atomic.Int64
		var all errgroup.Group
		for i := range 6 {
			own := server(t, s.plain, "race")
			own.Attempts = 1000 // none of them is dead
			ctx := within(t)
			all.Go(func() error {
				found, err := own.Begin(ctx)
				if err != nil {
					return err
				}
				if found == nil {
					made.Add(1)
					return own.Save(ctx, []byte(fmt.Sprint("made by ", i)), false)
				}
				if !strings.HasPrefix(string(found), "made by ") {
					return fmt.Errorf("server %d reads %q", i, found)
				}
				return nil
			})
		}
		require.NoError(t, all.Wait())
		require.EqualValues(t, 1, made.Load())
	})
}

// TestDeadLockHolder has a server die between the lock and the data. Of two that wait, one takes the lock over.
func TestDeadLockHolder(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		dead := server(t, s.plain, "token")
		found, err := dead.Begin(within(t))
		require.NoError(t, err)
		require.Nil(t, found)
		require.NoError(t, dead.Store.Close())

		heir := server(t, s.plain, "token")
		found, err = heir.Begin(within(t))
		require.NoError(t, err)
		require.Nil(t, found, "it has the lock now")
		require.NoError(t, heir.Save(within(t), data, false))

		// The lock of the dead one, by its revision, is gone: who still believes in it deletes nothing.
		late := server(t, s.plain, "token")
		require.ErrorContains(t, late.Store.Delete(within(t), keyOf("token"), 1), "doesnt match")
		found, err = late.Begin(within(t))
		require.NoError(t, err)
		require.Equal(t, data, found)
	})
}

// TestTokenRotation moves the data to another token, as k3s token rotate does; and data that was stored without one.
func TestTokenRotation(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		old := server(t, s.secure, "")
		_, err := old.Begin(within(t))
		require.NoError(t, err)
		require.NoError(t, old.Save(within(t), data, false))

		named := server(t, s.secure, "first")
		found, err := named.Begin(within(t))
		require.NoError(t, err)
		require.Equal(t, data, found, "moved on from no token at all")

		rotated := server(t, s.secure, "second")
		require.NoError(t, rotated.Rotate(within(t), "first"))
		found, err = rotated.Begin(within(t))
		require.NoError(t, err)
		require.Equal(t, data, found)
		_, err = named.Begin(within(t))
		require.ErrorIs(t, err, errToken, "the old token leads nowhere")
		all, err := rotated.Store.List(within(t), prefix, 0)
		require.NoError(t, err)
		require.Len(t, all, 1)
	})
}

// TestRewrite stores changed data, as k3s does after secrets-encrypt and certificate rotate-ca, and keeps a lost race from
// going unnoticed.
func TestRewrite(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		one, other := server(t, s.plain, "token"), server(t, s.secure, "token")
		_, err := one.Begin(within(t))
		require.NoError(t, err)
		require.NoError(t, one.Save(within(t), data, false))
		seen := modified(t, one)
		require.NoError(t, other.Save(within(t), []byte("rotated"), true))
		require.ErrorContains(t, one.Store.Update(within(t), keyOf("token"), seen, []byte("late")), "doesnt match")
		require.ErrorContains(t, one.Store.Create(within(t), keyOf("token"), []byte("late")), keyExists)
		found, err := one.Begin(within(t))
		require.NoError(t, err)
		require.Equal(t, "rotated", string(found))

		before, err := one.Store.List(within(t), prefix, int(seen))
		require.NoError(t, err)
		require.Equal(t, seen, before[0].Modified, "the past is there until it is compacted")
		current := modified(t, one)
		_, err = one.Store.Compact(within(t), current)
		require.NoError(t, err)
		_, err = one.Store.List(within(t), prefix, int(seen))
		require.ErrorContains(t, err, "compacted")
	})
}
