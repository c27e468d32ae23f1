package zkclient

import (
	"context"
	"errors"
	"time"

	"github.com/go-zookeeper/zk"
)

// callsGrace bounds how long the calls of a session that is over are waited
// for. The client answers them all as it winds up.
const callsGrace = time.Second

// beginCall says whether a call may begin, which ends with endCall.
func (c *zkConn) beginCall() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.calls++
	}
	return c.err
}

func (c *zkConn) endCall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls--; c.calls == 0 && c.idle != nil {
		close(c.idle)
	}
}

// waitForCalls waits until no call is left. None begins once the session is
// over.
func (c *zkConn) waitForCalls() {
	c.mu.Lock()
	if c.calls == 0 {
		c.mu.Unlock()
		return
	}
	c.idle = make(chan struct{})
	c.mu.Unlock()
	select {
	case <-c.idle:
	case <-time.After(callsGrace):
	}
}

// call runs one blocking call of the client, unless ctx has ended.
func call[T any](ctx context.Context, c *zkConn, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var zero T
	if ctx.Err() != nil {
		return zero, context.Cause(ctx)
	}
	if err := c.beginCall(); err != nil {
		return zero, err
	}
	ch := make(chan result, 1)
	go func() {
		defer c.endCall()
		value, err := f()
		ch <- result{value, err}
	}()
	select {
	case r := <-ch:
		return r.value, c.ownWords(r.err)
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	case <-c.done:
		// The reply may have come in just before.
		select {
		case r := <-ch:
			return r.value, c.ownWords(r.err)
		default:
			return zero, c.cause()
		}
	}
}

// ownWords replaces what the client says once it is closed, which looks like a
// server's code and is none, by the reason for that.
func (c *zkConn) ownWords(err error) error {
	if cause := c.cause(); cause != nil && errors.Is(err, zk.ErrClosing) {
		return cause
	}
	if errors.Is(err, zk.ErrConnectionClosed) && c.refusal() != nil {
		return c.over()
	}
	return err
}

func (c *zkConn) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	type outcome struct {
		results []zk.MultiResponse
		err     error
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	ch := make(chan outcome, 1)
	began, err := c.begin(ops, noLimit, func(results []zk.MultiResponse, err error) { ch <- outcome{results, err} })
	if err != nil {
		return c.queueMulti(ctx, ops)
	}
	select {
	case o := <-ch:
		return o.results, o.err
	case <-ctx.Done():
		began.GiveUp(context.Cause(ctx))
		o := <-ch // it may have come just before
		return o.results, o.err
	}
}

// queueMulti sends a multi through the client's queue.
func (c *zkConn) queueMulti(ctx context.Context, ops []any) ([]zk.MultiResponse, error) {
	return call(ctx, c, func() ([]zk.MultiResponse, error) {
		results, err := c.zk.Multi(withACL(ops, c.acl)...)
		return c.judge(ops, results, err)
	})
}

// judge makes of the reply to a multi what Multi returns.
func (c *zkConn) judge(ops []any, results []zk.MultiResponse, err error) ([]zk.MultiResponse, error) {
	if err == nil {
		// The header's code stays zero for some failed multis; the
		// operations' own codes do not.
		_, err = FailedOp(results)
	}
	if wrong := mismatch(ops, results, err == nil); wrong != nil {
		c.ensemble.refuses(c.address)
		c.lose(wrong)
		return nil, wrong
	}
	culprit, _ := FailedOp(results)
	return results, Named(PathOf(ops[max(culprit, 0)]), err)
}

func (c *zkConn) Get(ctx context.Context, path string) ([]byte, *zk.Stat, error) {
	got, err := call(ctx, c, func() (Watched, error) {
		data, stat, err := c.zk.Get(path)
		return Watched{Data: data, Stat: stat}, Named(path, err)
	})
	return got.Data, got.Stat, err
}

func (c *zkConn) GetW(ctx context.Context, path string) (Watched, error) {
	return call(ctx, c, func() (Watched, error) {
		data, stat, event, err := c.zk.GetW(path)
		return Watched{Data: data, Stat: stat, Event: event}, Named(path, err)
	})
}

func (c *zkConn) Children(ctx context.Context, path string) ([]string, error) {
	return call(ctx, c, func() ([]string, error) {
		children, _, err := c.zk.Children(path)
		return children, Named(path, err)
	})
}

func (c *zkConn) Exists(ctx context.Context, path string) (*zk.Stat, error) {
	return call(ctx, c, func() (*zk.Stat, error) {
		found, stat, err := c.zk.Exists(path)
		if err == nil && !found {
			err = zk.ErrNoNode
		}
		return stat, Named(path, err)
	})
}

// GetACL and SetACL are of real sessions only, and no part of Conn: the log never
// asks for an ACL.

// GetACL returns a znode's ACL, which belongs to the caller, and its stat. It needs
// READ or ADMIN; with READ alone the server hides the hashes of digest ids. Errors:
// zk.ErrNoNode, ErrForbidden, the session's.
func (c *zkConn) GetACL(ctx context.Context, path string) ([]zk.ACL, *zk.Stat, error) {
	type reply struct {
		acl  []zk.ACL
		stat *zk.Stat
	}
	got, err := call(ctx, c, func() (reply, error) {
		acl, stat, err := c.zk.GetACL(path)
		return reply{acl, stat}, Named(path, err)
	})
	return got.acl, got.stat, err
}

// SetACL replaces a znode's ACL, if its stat's Aversion is version, or version is
// AnyVersion, and returns the znode's stat from then. It needs ADMIN, and cannot be
// part of a multi. It changes nothing else of the znode, and wakes no watch. Errors:
// zk.ErrNoNode, zk.ErrBadVersion, ErrForbidden, ErrRefused, the session's.
func (c *zkConn) SetACL(ctx context.Context, path string, acl []zk.ACL, version int32) (*zk.Stat, error) {
	return call(ctx, c, func() (*zk.Stat, error) {
		stat, err := c.zk.SetACL(path, acl, version)
		return stat, Named(path, err)
	})
}
