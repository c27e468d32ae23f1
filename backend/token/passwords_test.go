package token

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestPasswordsAreHashedFewAtATime: one name has half of the turns, all names have all.
func TestPasswordsAreHashedFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPasswords()
		p.turns, p.perName = make(chan struct{}, 4), 2
		got := map[string]int{}
		turns := make(chan string)
		let := make(chan struct{})
		ask := func(name string, n int) {
			for range n {
				go func() {
					done, err := p.Turn(context.Background(), name)
					if err != nil {
						return
					}
					turns <- name
					<-let
					done()
				}()
			}
		}
		collect := func() {
			for {
				synctest.Wait()
				select {
				case name := <-turns:
					got[name]++
				default:
					return
				}
			}
		}
		ask("victim", 100)
		collect()
		require.Equal(t, map[string]int{"victim": 2}, got)
		ask("other", 1)
		ask("third", 2)
		collect()
		require.Equal(t, 4, got["victim"]+got["other"]+got["third"])
		close(let)
		collect()
		require.Equal(t, map[string]int{"victim": 100, "other": 1, "third": 2}, got)
		require.Empty(t, p.names)
		require.Empty(t, p.turns)
	})
}

// TestAWaitForAPasswordsTurnEndsWithItsCall, and leaves nothing behind.
func TestAWaitForAPasswordsTurnEndsWithItsCall(t *testing.T) {
	p := NewPasswords()
	p.turns, p.perName = make(chan struct{}, 1), 1
	done, err := p.Turn(context.Background(), "a")
	require.NoError(t, err)
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(gone)
	for _, name := range []string{"a", "b"} {
		_, err = p.Turn(ctx, name)
		require.ErrorIs(t, err, gone)
	}
	done()
	require.Empty(t, p.names)
	done, err = p.Turn(context.Background(), "b")
	require.NoError(t, err)
	done()
}
