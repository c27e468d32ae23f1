package backend

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProgress(t *testing.T) {
	var s Startup
	require.Equal(t, "the log is not open yet", s.Progress().String())
	s.begin("loading the checkpoint", 280, "MiB")
	s.add(120)
	p := s.Progress()
	require.Positive(t, p.Took)
	p.Took = 3 * time.Second
	require.Equal(t, "loading the checkpoint: 43 %, 120 of 280 MiB, 40 MiB/s, 4s left", p.String())
	s.begin("replaying the log", 0, "slots")
	p = s.Progress()
	p.Took = 0
	require.Equal(t, "replaying the log: 0 %, 0 of 0 slots", p.String())
	p = Progress{Step: "replaying the log", Done: 12, Total: 10, Unit: "slots", Took: time.Second}
	require.Equal(t, "replaying the log: 99 %, 12 of 10 slots, 12 slots/s", p.String(), "others write meanwhile")
}
