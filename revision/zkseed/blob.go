package zkseed

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// blob writes bytes in parts. Where connections end on large requests, the parts
// become smaller: a server whose jute.maxbuffer is smaller than MaxRequest closes
// without a word.
func (s *seeder) blob(ctx context.Context, raw []byte, name func(part int) string) (zkroot.BlobRef, error) {
	if len(raw) > zkroot.MaxRaw {
		return zkroot.BlobRef{}, fmt.Errorf("%w: %d bytes of a checkpoint in one piece", revision.ErrTooLarge, len(raw))
	}
	for {
		if s.Room > 0 && s.wrote.Load() > s.Room {
			return zkroot.BlobRef{}, fmt.Errorf("%w: %d bytes are there by now", ErrNoRoom, s.wrote.Load())
		}
		limit := s.request.Load()
		stored, ref := zkroot.EncodeBlob(raw, int(limit)-zkroot.RequestOverhead)
		taken, err := s.parts(ctx, stored, ref, name)
		if !errors.Is(err, errSmaller) {
			s.taken.Add(taken)
			return ref, err
		}
		if smaller := max(limit/2, zkroot.MinRequest); s.request.CompareAndSwap(limit, smaller) {
			s.Log.Warnf("connections end on large requests: sending at most %d bytes from now on; the servers' jute.maxbuffer may be smaller", smaller)
		}
	}
}

// patientSessions is how many connections in a row may end on a part.
const patientSessions = 3

// errSmaller says that the parts are to be smaller.
var errSmaller = errors.New("zkseed: smaller parts")

// parts writes the parts of a blob that are not there yet. It tells how many bytes
// were.
func (s *seeder) parts(ctx context.Context, stored []byte, ref zkroot.BlobRef, name func(part int) string) (taken int64, err error) {
	for i := range ref.Parts {
		from, to := ref.Span(i)
		there, sessions, last := false, 0, zkclient.Conn(nil)
		err := s.session.do(ctx, func(conn zkclient.Conn) (err error) {
			if conn != last {
				sessions, last = sessions+1, conn
			}
			if sessions > patientSessions && to-from > zkroot.MinRequest-zkroot.RequestOverhead {
				return errSmaller // one that small is not what they end on
			}
			there, err = s.part(ctx, conn, name(i), stored[from:to])
			return err
		})
		if err != nil {
			return 0, err
		}
		if there {
			taken += int64(to - from)
		} else {
			s.wrote.Add(int64(to - from))
		}
	}
	return taken, nil
}

// part writes a part, or finds that it is there.
func (s *seeder) part(ctx context.Context, conn zkclient.Conn, path string, data []byte) (there bool, err error) {
	results, err := conn.Multi(ctx, s.guard(), zkclient.CreateOp(path, data))
	if errors.Is(err, zk.ErrNodeExists) {
		have, _, err := conn.Get(ctx, path)
		if err == nil && bytes.Equal(have, data) {
			return true, nil
		}
		if err == nil {
			results, err = conn.Multi(ctx, s.guard(), zkclient.SetOp(path, data, zkclient.AnyVersion))
		}
		return false, s.judge(results, err)
	}
	return false, s.judge(results, err)
}

// judge knows what it means that the guard has failed.
func (s *seeder) judge(results []zk.MultiResponse, err error) error {
	op, _ := zkclient.FailedOp(results)
	if op == 0 && (errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNoNode)) {
		return s.overtaken()
	}
	return err
}
