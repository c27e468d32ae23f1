package zklog_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// holder is a dialer on whose connections no multi is answered while it holds:
// each takes effect, and held hears of it.
type holder struct {
	zkclient.Dialer
	holds atomic.Bool
	held  chan struct{}
}

func (h *holder) Dial(ctx context.Context) (zkclient.Conn, error) {
	conn, err := h.Dialer.Dial(ctx)
	return &heldConn{conn, h}, err
}

type heldConn struct {
	zkclient.Conn
	h *holder
}

func (c *heldConn) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	results, err := c.Conn.Multi(ctx, ops...)
	if c.h.holds.Load() {
		c.h.held <- struct{}{}
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return results, err
}

// TestAppendThatIsCutOffIsUnknown ends an append between its effect and the
// answer, for a reason that would be final had the log given it: the caller's
// own, as when its state is found to be corrupt.
func TestAppendThatIsCutOffIsUnknown(t *testing.T) {
	for name, cause := range map[string]error{
		"corrupt":      revision.ErrCorrupt,
		"a lost chunk": fmt.Errorf("%w: a chunk: %w", revision.ErrCorrupt, zk.ErrNoNode), // which of a multi would be definite
		"a closed ACL": fmt.Errorf("%w: the log: %w", revision.ErrForbidden, zk.ErrNoAuth),
		"its own end":  context.Canceled,
	} {
		t.Run(name, func(t *testing.T) {
			h := &holder{Dialer: memzk.New(), held: make(chan struct{}, 10)}
			r := openLog(t, zklog.Config{Dialer: h})
			ctx, cancel := context.WithCancelCause(t.Context())
			h.holds.Store(true)
			ended := make(chan error, 1)
			go func() {
				_, err := r.log.Append(ctx, batchOf(put("a", "1")))
				ended <- err
			}()
			<-h.held
			cancel(cause)
			require.ErrorIs(t, <-ended, revision.ErrUnknown)
			h.holds.Store(false) // not before: another session might read the slot in time
			_, err := r.log.Append(t.Context(), batchOf(put("b", "2")))
			require.NoError(t, err, "the log itself goes on")
			r.until("both are there", func(slots []revision.Slot, _ error) bool { return len(slots) == 2 })
		})
	}
}
