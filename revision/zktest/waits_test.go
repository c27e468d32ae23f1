package zktest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWaitsAreLeftOut(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	w := &Waits{naps: []nap{
		{at(90), 40 * time.Millisecond},
		{at(200), 30 * time.Millisecond},
		{at(300), time.Millisecond},
		{at(600), 100 * time.Millisecond},
	}}
	require.Equal(t, 369*time.Millisecond, w.Between(at(100), at(500)))
	require.Equal(t, 50*time.Millisecond, w.Between(at(400), at(450)))
}

func TestNapsAreMeasured(t *testing.T) {
	w := MeasureWaits(t)
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.naps) > 2 && w.naps[0].late >= 0 && w.naps[1].ended.After(w.naps[0].ended)
	}, 30*time.Second, napTime)
}
