package zklog_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// hooked is a dialer whose hooks run before each dial, and before each read of a
// slot.
type hooked struct {
	zkclient.Dialer
	mu             sync.Mutex
	dial, readSlot func()
}

func (h *hooked) set(dial, readSlot func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dial, h.readSlot = dial, readSlot
}

func (h *hooked) hooks() (dial, readSlot func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dial, h.readSlot
}

func (h *hooked) Dial(ctx context.Context) (zkclient.Conn, error) {
	if dial, _ := h.hooks(); dial != nil {
		dial()
	}
	return dialReading(ctx, h.Dialer, h.get)
}

func (h *hooked) get(ctx context.Context, conn zkclient.Conn, path string) ([]byte, *zk.Stat, error) {
	if _, readSlot := h.hooks(); readSlot != nil && strings.Contains(path, "/s-") {
		readSlot()
	}
	return conn.Get(ctx, path)
}

// TestASlotDeliveredDuringTheGreetingIsRecognised has the ensemble lose its tail
// and take another one as long, while a zkine has read ahead and is away. It
// goes on with what it has read while it is greeted, after the slot before that
// was recognised: it must still find out.
func TestASlotDeliveredDuringTheGreetingIsRecognised(t *testing.T) {
	e := memzk.New()
	a := openLog(t, zklog.Config{Dialer: e})
	a.append(batchOf(put("a", "kept")))
	restore := e.Save()
	for range 9 {
		a.append(batchOf(put("a", "lost")))
	}
	h := &hooked{Dialer: e}
	log, err := zklog.Open(t.Context(), zklog.Config{Dialer: h, Root: "/zkine", Log: quiet()})
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	slot, err := log.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(0), slot.Seq.Slot, "and those after it are read")

	away, delivered := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h.set(func() { <-away }, func() {
		once.Do(func() {
			slot, err = log.Next(t.Context())
			close(delivered)
		})
	})
	a.close() // it would find out first, and halt the root
	restore()
	b := openLog(t, zklog.Config{Dialer: e})
	for range 9 {
		b.append(batchOf(put("a", "instead")))
	}
	close(away)
	<-delivered
	for next := error(nil); ; {
		if _, next = log.Next(t.Context()); next != nil {
			require.ErrorIs(t, next, revision.ErrLogLost)
			break
		}
	}
	require.NoError(t, err)
	require.Equal(t, int64(1), slot.Seq.Slot, "the test itself: it was delivered in the meantime")
}
