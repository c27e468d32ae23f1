package revision

import (
	"context"
	"time"
)

// PathOf tells tests which znode an operation is about.
var PathOf = pathOf

// What zkine does with a code of ZooKeeper's.
const (
	Expected = expected
	Again    = again
	Anew     = anew
	Refuse   = refuse
	Stop     = stop
)

// KnownCode is a row of the table of codes.
type KnownCode struct {
	Name     string
	Definite bool
	Does     reaction
	Sentinel error
	Client   error
	Remedy   string
}

// KnownCodes is the table, by number.
func KnownCodes() map[int]KnownCode {
	out := map[int]KnownCode{}
	for _, c := range keeperCodes {
		out[int(c.number)] = KnownCode{c.name, c.definite, c.does, c.sentinel, c.client, c.remedy}
	}
	return out
}

// Named is what a call on a znode makes of a client's error.
var Named = named

// CallOnLost is what a call says whose session is lost meanwhile for a cause,
// and to which the client says err at once.
func CallOnLost(cause, err error) error {
	c := &zkConn{done: make(chan struct{})}
	_, heard := call(context.Background(), c, func() (struct{}, error) {
		c.mu.Lock()
		c.err = cause
		c.mu.Unlock()
		close(c.done)
		return struct{}{}, named("/zkine", err)
	})
	return heard
}

// Backoff is a backoff's next, and BackoffMin how long the first pause is, but
// for its jitter.
func Backoff() (next func() time.Duration) { return new(backoff).next }

const BackoffMin = backoffMin
