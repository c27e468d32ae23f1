package zklog_test

import (
	"context"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// flipping is a dialer to a server whose copy of one znode has a wrong bit.
type flipping struct {
	zkclient.Dialer
	path string
	at   int // the byte that it is in
}

func (f flipping) Dial(ctx context.Context) (zkclient.Conn, error) {
	return dialReading(ctx, f.Dialer, f.get)
}

func (f flipping) get(ctx context.Context, conn zkclient.Conn, path string) ([]byte, *zk.Stat, error) {
	data, stat, err := conn.Get(ctx, path)
	if err == nil && path == f.path {
		data[f.at] ^= 1
	}
	return data, stat, err
}

// segmentOf is the path of a segment.
func segmentOf(t *testing.T, e *memzk.Ensemble, number string) string {
	t.Helper()
	for _, name := range children(t, e, "/zkine/log") {
		if strings.HasPrefix(name, number+"-") {
			return "/zkine/log/" + name
		}
	}
	require.FailNow(t, "no such segment")
	return ""
}

// TestOneServersWrongBytesAreNotPacked has the keeper read a slot wrongly from the
// server that it packs on. What the other servers hold is right, and must stay.
func TestOneServersWrongBytesAreNotPacked(t *testing.T) {
	e := memzk.New()
	end := fillTo(openLog(t, zklog.Config{Dialer: e, MaxSlots: 8}), 3)
	slot := segmentOf(t, e, "1") + "/s-0000000003"
	keeper := openLog(t, zklog.Config{Dialer: e, Bulk: flipping{e, slot, 50}, MaxSlots: 8})

	err := keeper.log.Pack(t.Context(), noPace)
	require.ErrorIs(t, err, revision.ErrCorrupt)
	require.ErrorContains(t, err, slot)
	require.Len(t, openLog(t, zklog.Config{Dialer: e}).reach(end), len(keeper.reach(end)))
	require.Equal(t, []string{"s-0000000003"}, children(t, e, segmentOf(t, e, "1")), "the others are packed")
	require.Empty(t, children(t, e, segmentOf(t, e, "2")), "and those of other segments")
}

// TestPartsAreKeptForASlotThatIsReadWrongly has the keeper read the nonce of a
// staged slot wrongly: the parts of the right one look as if no slot named them.
func TestPartsAreKeptForASlotThatIsReadWrongly(t *testing.T) {
	for name, at := range map[string]int{"magic": 0, "nonce": 10} {
		t.Run(name, func(t *testing.T) {
			e := memzk.New()
			cfg := zklog.Config{Dialer: e, MaxSlots: 4, MaxRequest: 100 << 10}
			a := openLog(t, cfg)
			a.append(batchOf(put("large", string(incompressible(300_000)))))
			end := fillTo(a, 2)
			cfg.Bulk = flipping{e, segmentOf(t, e, "1") + "/s-0000000000", at}
			keeper := openLog(t, cfg)

			require.ErrorIs(t, keeper.log.Pack(t.Context(), noPace), revision.ErrCorrupt)
			require.NotEmpty(t, children(t, e, strings.Replace(segmentOf(t, e, "1"), "/log/", "/stage/", 1)))
			openLog(t, zklog.Config{Dialer: e}).reach(end)
		})
	}
}
