package memlog

import (
	"bytes"
	"context"
	"time"

	"github.com/zkine/zkine/revision"
)

// CheckpointDue implements housekeep.Store.
func (l *Log) CheckpointDue(segment int64) bool {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	newest := l.store.latest()
	return segment > newest.Segment &&
		l.store.bytes(newest.Segment, segment) >= max(newest.Bytes, l.store.CheckpointFrom)
}

// SaveCheckpoint implements housekeep.Store.
func (l *Log) SaveCheckpoint(ctx context.Context, segment int64, _ revision.Rev, meta []byte,
	keys func(yield func([]byte) bool) error, pace func(context.Context) error) error {
	if err := l.AwaitConnected(ctx); err != nil {
		return err
	}
	if l.Newest().Segment >= segment {
		return revision.ErrNotNeeded
	}
	c := &checkpoint{segment: segment, meta: bytes.Clone(meta), bytes: int64(len(meta))}
	var paced error
	err := keys(func(chunk []byte) bool {
		c.chunks = append(c.chunks, bytes.Clone(chunk))
		c.bytes += int64(len(chunk))
		paced = pace(ctx)
		return paced == nil
	})
	if err == nil {
		err = paced
	}
	if err != nil {
		return err
	}
	return l.do(ctx, func() error {
		s := l.store
		if s.latest().Segment >= segment {
			return revision.ErrNotNeeded
		}
		s.previous, s.newest = s.newest, c
		return nil
	})
}

// Pack implements housekeep.Store. There is nothing to pack.
func (l *Log) Pack(ctx context.Context, _ func(context.Context) error) error {
	return l.do(ctx, func() error { return nil })
}

// TrimAndPack implements housekeep.Store.
func (l *Log) TrimAndPack(ctx context.Context, _ func(context.Context) error) error {
	return l.do(ctx, func() error {
		l.store.trim()
		return nil
	})
}

// KeepNewest implements housekeep.Store.
func (l *Log) KeepNewest(ctx context.Context, segment int64) error {
	return l.do(ctx, func() error {
		if l.store.latest().Segment != segment {
			return revision.ErrNotNeeded
		}
		l.store.previous = l.store.newest
		return nil
	})
}

// Newest implements housekeep.Store.
func (l *Log) Newest() revision.Newest {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	return l.store.latest()
}

// Seal implements housekeep.Store.
func (l *Log) Seal(ctx context.Context, segment int64) error {
	return l.do(ctx, func() error {
		l.store.open = max(l.store.open, segment+1)
		return nil
	})
}

// Sizes implements housekeep.Store. It is always exact.
func (l *Log) Sizes() revision.Sizes {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := s.latest()
	sizes := revision.Sizes{Log: s.bytes(s.first-1, s.open), Checkpoint: newest.Bytes,
		Live: s.bytes(newest.Segment, s.open) + newest.Bytes}
	sizes.Kept = sizes.Live
	if s.previous != nil && s.previous != s.newest {
		sizes.Checkpoint += s.previous.bytes
		sizes.Kept = s.bytes(s.previous.segment, s.open) + sizes.Checkpoint
	}
	return sizes
}

// Measure implements housekeep.Store.
func (l *Log) Measure(ctx context.Context) error { return l.AwaitConnected(ctx) }

// Head implements backend.Info.
func (l *Log) Head() revision.Seq {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	return l.store.last
}

// Connected implements backend.Info.
func (l *Log) Connected() error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.away || l.broken != nil {
		return revision.ErrUnavailable
	}
	return nil
}

// ClusterID implements backend.Info.
func (l *Log) ClusterID() uint64 { return clusterID }

// SessionTimeout implements backend.Info.
func (l *Log) SessionTimeout() time.Duration { return sessionTimeout }

// Owing implements backend.Info: a connection is there or not, and never silent.
func (l *Log) Owing() time.Duration { return 0 }

// Pulse implements backend.Info.
func (l *Log) Pulse() time.Duration { return 0 }
