package token

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSimple(t *testing.T) {
	now := time.Unix(1000, 0)
	s := NewSimple(0)
	s.now = func() time.Time { return now }
	s.Grant("a.1", "alice")
	s.Grant("b.2", "bob")
	s.Grant("c.3", "alice")
	known := func(token, user string) {
		t.Helper()
		got, ok := s.User(token)
		require.Equal(t, user, got)
		require.Equal(t, user != "", ok)
	}
	known("a.1", "alice")
	known("x.1", "")
	now = now.Add(DefaultTTL - time.Second)
	known("a.1", "alice") // which makes it last
	now = now.Add(2 * time.Second)
	known("a.1", "alice")
	known("b.2", "")
	s.Grant("d.4", "bob")
	require.Len(t, s.tokens, 2, "what has ended is swept")
	s.Invalidate("alice")
	known("a.1", "")
	known("d.4", "bob")
	s.Clear()
	known("d.4", "")
}

func TestIndex(t *testing.T) {
	for token, want := range map[string]uint64{Random() + ".17": 17, "a.18446744073709551615": 1<<64 - 1} {
		got, ok := Index(token)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	for _, token := range []string{"", ".", "a", "a.", "a.b", "a.1.2", "a.-1", "a.18446744073709551616"} {
		_, ok := Index(token)
		require.False(t, ok, token)
	}
	require.NotEqual(t, Random(), Random())
}
