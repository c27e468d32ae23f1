package zklog

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
)

// TestRefusalsAreFewLines has writes refused and passed in turns, as by a quota that small ones fit below, and then
// refused alone.
func TestRefusalsAreFewLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, hook := test.NewNullLogger()
		logger.SetOutput(io.Discard)
		log := logrus.NewEntry(logger)
		var r refusal
		messages := func() (all []string) {
			for _, e := range hook.AllEntries() {
				all = append(all, e.Level.String()+": "+e.Message)
			}
			return all
		}
		const refuses = "error: ZooKeeper refuses writes; reads go on, clients that write are told, and zkine goes on by itself once it may"
		for range 1000 {
			r.refusedWrite(log, errors.New("a quota"))
			r.passedWrite(log)
			time.Sleep(10 * time.Millisecond)
		}
		require.Equal(t, []string{refuses, "info: ZooKeeper takes writes again"}, messages())
		hook.Reset()
		for range 70 { // what lasts is told, though it began soon after the last line
			r.refusedWrite(log, errors.New("a quota"))
			time.Sleep(time.Second)
		}
		require.Len(t, messages(), 1)
		require.Contains(t, messages()[0], refuses)
		hook.Reset()
		r.passedWrite(log)
		r.passedWrite(log)
		require.Equal(t, []string{"info: ZooKeeper takes writes again"}, messages())
	})
}
