package zklog_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zklog"
)

// TestOriginsSurvivePacking: of small and of staged slots, as followers read them and
// as a zkine does that starts later.
func TestOriginsSurvivePacking(t *testing.T) {
	e := memzk.New()
	cfg := zklog.Config{Dialer: e, MaxSlots: 8, MaxRequest: 100 << 10}
	a, follows := openLog(t, cfg), openLog(t, cfg)
	inCompany(t, a, follows)
	var want []*revision.Origin
	var last revision.Seq
	for i := range 30 {
		batch := batchOf(put(fmt.Sprint(i), string(incompressible([]int{10, 300_000}[i/29]))))
		if i%3 > 0 {
			batch.Origin = &revision.Origin{Written: int64(1000 - i), Writer: fmt.Sprint("member-", i)}
		}
		want = append(want, batch.Origin)
		last = a.append(batch).Seq
	}
	origins := func(r *reader) (got []*revision.Origin) {
		for _, slot := range r.reach(last) {
			got = append(got, slot.Origin)
		}
		return got
	}
	require.Equal(t, want, origins(a))
	require.Equal(t, want, origins(follows))
	require.NoError(t, a.log.Pack(t.Context(), noPace))
	require.NotEmpty(t, children(t, e, "/zkine/pack"))
	require.Equal(t, want, origins(openLog(t, cfg)))
}
