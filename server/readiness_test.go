package server

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The readiness loop hears of a doubt, and then looks now and then. Each look is a doubt
// itself while the backend is not ready, and must not bring the next one.
func TestReadinessRestsDuringAnOutage(t *testing.T) {
	r := start(t)
	<-r.serves
	told := func(message string) func() bool {
		return func() bool { e := r.log.LastEntry(); return e != nil && e.Message == message }
	}
	for range 3 {
		r.backend.SetReady(errors.New("ZooKeeper is away"))
		require.Eventually(t, told("not ready to serve"), soon, time.Millisecond)
		before, began := r.backend.AskedReady(), time.Now()
		time.Sleep(10 * readinessPeriod) // what is judged is what happens in it
		asked := r.backend.AskedReady() - before
		require.LessOrEqual(t, asked, int(time.Since(began)/readinessPeriod)+2)
		require.Positive(t, asked, "the end of the outage is to be seen")
		r.backend.SetReady(nil)
		require.Eventually(t, told("ready to serve"), soon, time.Millisecond)
	}
	before := r.backend.AskedReady()
	time.Sleep(10 * readinessPeriod)
	require.LessOrEqual(t, r.backend.AskedReady()-before, 1, "the backend tells when that is over")
}
