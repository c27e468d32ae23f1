package embedded

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/zkine/zkine/revision/zkclient/fourletter"
)

// Ready waits until the server serves: as a standalone, or as a leader or follower of a quorum. A child that dies
// before that is restarted, and waited for. Errors: ErrStopped, or the context's with the end of the log.
func (s *Server) Ready(ctx context.Context) error { return s.await(ctx, nil) }

// await is Ready that gives up, with ErrExited, when gone is closed.
func (s *Server) await(ctx context.Context, gone <-chan struct{}) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-gone:
			cancel(ErrExited)
		case <-s.done:
			cancel(ErrStopped)
		case <-ctx.Done():
		}
	}()
	const first = 5 * time.Millisecond
	for wait := first; ; wait = min(2*wait, 100*time.Millisecond) {
		_, err := fourletter.Mode(ctx, s.Addr())
		if err == nil && ctx.Err() == nil {
			return nil
		}
		// While the port is not open an attempt costs nothing; afterwards each leaves a line in the server's log.
		if errors.Is(err, syscall.ECONNREFUSED) {
			wait = first
		}
		if !pause(ctx, wait) {
			return fmt.Errorf("wait for ZooKeeper at %s: %w; the end of %s:\n%s",
				s.Addr(), context.Cause(ctx), s.cfg.LogFile, s.LogTail(60))
		}
	}
}
