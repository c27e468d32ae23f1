package zklog

import "time"

// Owing implements backend.Log.
func (l *Log) Owing() time.Duration { return l.session.Owing() }

// Pulse implements backend.Log.
func (l *Log) Pulse() {
	conn, quiet := l.session.Quiet()
	if !quiet {
		return
	}
	l.group.Go(func() {
		ctx, cancel := l.opContext(l.ctx)
		defer cancel()
		conn.Get(ctx, l.layout.Format()) //nolint:errcheck // Owing tells what came of it
	})
}
