package zkmember

import (
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIncarnations(t *testing.T) {
	me := newIncarnation(rand.Reader)
	require.False(t, me.gone(), "this process lives")
	other := me
	other.Started = "1"
	require.True(t, other.gone(), "the PID is another process's by now")
	other = me
	other.Boot = "another"
	require.False(t, other.gone(), "nothing is known of another boot")
}
