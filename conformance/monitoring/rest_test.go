package monitoring

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

// TestNothingFiresAtRest has one, two and three zkines work for three quarters of an hour.
func TestNothingFiresAtRest(t *testing.T) {
	needsAll(t)
	for n := 1; n <= 3; n++ {
		t.Run(fmt.Sprint(n, " zkines"), func(t *testing.T) {
			w := newWorld(t, zktest.Shared(t).Addr(), n)
			w.minutes(45, w.work)
			w.hasBeenQuiet()
		})
	}
}

// TestFragmentationAtRest has more in use than the mixin's rule asks for, 100 MiB, twice overwritten, so that there is a
// checkpoint before the newest and log between them.
func TestFragmentationAtRest(t *testing.T) {
	needsAll(t)
	w := newWorld(t, zktest.Start(t, zktest.WithHeap(3<<30)).Addr(), 1, "--quota-backend-bytes=2147483648")
	value := make([]byte, 1<<20)
	w.minutes(40, func(ctx context.Context) {
		for range 12 {
			w.writes++
			rand.Read(value)
			_, err := w.clients[0].Put(ctx, fmt.Sprint("large-", w.writes%110), string(value))
			require.NoError(t, err)
		}
		if status, err := w.clients[0].Status(ctx, w.zkines[0].Endpoint); err == nil && w.writes%110 < 12 {
			_, err = w.clients[0].Compact(ctx, status.Header.Revision)
			require.NoError(t, err)
		}
	})
	w.minutes(20, w.work)
	now := scrape(t, w.zkines[0].Metrics).Samples
	require.Greater(t, now["etcd_mvcc_db_total_size_in_use_in_bytes{}"], float64(100<<20))
	require.NoError(t, w.promtool.Evaluates(t.Context(), w.mixin, w.recorder, w.recorder.Now(),
		`group by (alertname) (present_over_time(ALERTS{alertname="etcdDatabaseHighFragmentationRatio",alertstate="firing"}[1w]))`, nil))
}
