package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/zkclient"
)

const (
	// frameHead is what a request for a path has besides it, in bytes.
	frameHead = 13
	// narrowTo is how closely a limit is looked for, in bytes.
	narrowTo = 4 << 10
	// probeTime bounds one request, and one session for it.
	probeTime = 5 * time.Second
)

// request tries on each server a request as large as zkine sends. It is a question for
// a znode with a name of that length, which there is not: a server measures requests
// before it looks what they are, so that nothing need be written, and no other server
// sees it.
func request(ctx context.Context, p *patient) []Finding {
	return p.each(func(s *server) []Finding {
		if s.session == nil {
			return []Finding{unknown(s.String(), "it could not be looked at: %s", plainly(s.sessionErr))}
		}
		most := p.cfg.MaxRequest
		took, err := accepts(ctx, s, most)
		switch {
		case err != nil:
			return []Finding{unknown(s.String(), "it could not be looked at: %s", plainly(err))}
		case took:
			return []Finding{ok(s.String(), "it takes a request of %d bytes, as large as zkine sends", most)}
		}
		limit, err := limitOf(ctx, s, most)
		if err != nil {
			return []Finding{unknown(s.String(), "it does not take a request of %d bytes; how much it takes could not be found: %s", most, plainly(err))}
		}
		return []Finding{{Level: Problem, Thing: s.String(), What: fmt.Sprintf("it takes requests up to some %d bytes, and zkine sends up to %d", limit, most),
			Why:    "it ends the connection at a larger one, without an answer, so that a large write costs an outage each time",
			Remedy: fmt.Sprintf("-Djute.maxbuffer=1048575, the default, on each server, or give all zkines --max-zookeeper-request=%d", max(64<<10, limit/narrowTo*narrowTo))}}
	})
}

// accepts says whether a server takes a request of so many bytes. The session that
// asks is lost if not.
func accepts(ctx context.Context, s *server, size int) (bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTime, errors.New("the server does not answer"))
	defer cancel()
	conn, err := s.Alone().Dial(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	_, err = conn.Exists(ctx, "/"+strings.Repeat("z", size-frameHead-1))
	switch {
	case err == nil || errors.Is(err, zk.ErrNoNode):
		return true, nil
	case errors.Is(err, zkclient.ErrSessionOver), errors.Is(err, zk.ErrConnectionClosed), over(conn):
		return false, nil
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	}
	return false, errors.New("it answers with an error") // whose text has the name
}

// over says whether a session is, within a moment.
func over(conn zkclient.Conn) bool {
	select {
	case <-conn.Done():
		return true
	case <-time.After(time.Second):
		return false
	}
}

// limitOf finds the largest request that a server takes, from below, to narrowTo.
func limitOf(ctx context.Context, s *server, refused int) (int, error) {
	taken := 0
	for refused-taken > narrowTo {
		middle := taken + (refused-taken)/2
		took, err := accepts(ctx, s, middle)
		if err != nil {
			return 0, err
		}
		if took {
			taken = middle
		} else {
			refused = middle
		}
	}
	return taken, nil
}
