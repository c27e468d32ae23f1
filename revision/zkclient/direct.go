package zkclient

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/zkclient/jute"
	"github.com/zkine/zkine/revision/zkclient/transport"
)

// mostDirect is the largest multi that is sent past the client's queue, in bytes: it
// fits into what a socket takes at once.
const mostDirect = 48 << 10

// noLimit has a call wait until it is answered, or given up.
const noLimit = time.Duration(0)

var errSilentTooLong = errors.New("ZooKeeper did not answer within the session timeout")

// direct sends a request past the client, which costs no goroutine, and gives it up after
// the limit; see transport.Guard.Begin for the frame, and transport.Answer for where answer
// runs. An error means that nothing was sent.
func (c *zkConn) direct(opcode int32, frame []byte, limit time.Duration, answer transport.Answer) (*transport.Call, error) {
	guarded := c.net.Load()
	if guarded == nil {
		return nil, transport.ErrBusy
	}
	select {
	case <-c.up:
	default:
		return nil, transport.ErrBusy // the client has not heard of its session
	}
	if err := c.cause(); err != nil {
		return nil, err
	}
	var timer atomic.Pointer[time.Timer]
	began, err := guarded.Begin(opcode, frame, func(body []byte, code int32, err error) {
		if t := timer.Load(); t != nil {
			t.Stop()
		}
		if cause := c.cause(); err != nil && cause != nil {
			err = cause
		} else if err != nil && guarded.Err() != nil { // which the client has not noticed yet
			c.breaks(c.over())
			err = c.cause()
		}
		answer(body, code, err)
	})
	if err == nil && limit != noLimit {
		timer.Store(time.AfterFunc(limit, func() { began.GiveUp(errSilentTooLong) }))
	}
	return began, err
}

// begin sends a multi: done gets what Multi would return.
func (c *zkConn) begin(ops []any, limit time.Duration, done func([]zk.MultiResponse, error)) (*transport.Call, error) {
	size := transport.OwnHead + jute.Size(ops, c.acl)
	if size > mostDirect {
		return nil, transport.ErrBusy
	}
	frame, err := jute.AppendMulti(make([]byte, transport.OwnHead, size), ops, c.acl)
	if err != nil {
		return nil, err
	}
	return c.direct(jute.OpMulti, frame, limit, func(body []byte, code int32, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		done(c.parse(ops, body, code))
	})
}

func (c *zkConn) parse(ops []any, body []byte, code int32) ([]zk.MultiResponse, error) {
	if code != 0 {
		return c.judge(ops, nil, errorOf(code))
	}
	results, failed, err := jute.ParseMulti(body, errorOf)
	if err != nil {
		return nil, c.malformed(err)
	}
	return c.judge(ops, results, failed)
}

// malformed ends a connection whose server has given an answer that is none.
func (c *zkConn) malformed(err error) error {
	wrong := fmt.Errorf("%w: %w", transport.ErrBadFrame, err)
	c.ensemble.refuses(c.address)
	c.lose(wrong)
	return wrong
}

// Begin implements beginner.
func (c *zkConn) Begin(ops []any, limit time.Duration, done func([]zk.MultiResponse, error)) bool {
	_, err := c.begin(ops, limit, done)
	return err == nil
}

// BeginStats implements beginner.
func (c *zkConn) BeginStats(paths []string, limit time.Duration, done func([]zk.Stat, error)) bool {
	frame := jute.AppendReads(make([]byte, transport.OwnHead, transport.OwnHead+jute.ReadsSize(paths)), paths)
	_, err := c.direct(jute.OpReads, frame, limit, func(body []byte, code int32, err error) {
		if err == nil && code != 0 {
			err = errorOf(code)
		}
		if err != nil {
			done(nil, err)
			return
		}
		stats, failed, err := jute.ParseReads(body, len(paths), errorOf)
		if err != nil {
			failed = c.malformed(err)
		}
		done(stats, failed)
	})
	return err == nil
}
