package servertest

import (
	"errors"
	"io"
	"sync/atomic"
)

// Snapshot is an etcddb.Snapshot in memory, written in pieces that fit no chunk.
type Snapshot struct {
	Bytes []byte
	// Broken ends WriteTo, if not nil.
	Broken error
	closed atomic.Bool
}

// IsClosed says whether Close was called.
func (s *Snapshot) IsClosed() bool { return s.closed.Load() }

func (s *Snapshot) Size() int64 { return int64(len(s.Bytes)) }

func (s *Snapshot) Close() error {
	s.closed.Store(true)
	return nil
}

func (s *Snapshot) WriteTo(w io.Writer) (n int64, err error) {
	for err == nil && int(n) < len(s.Bytes) {
		var wrote int
		wrote, err = w.Write(s.Bytes[n:min(len(s.Bytes), int(n)+50001)])
		n += int64(wrote)
	}
	return n, errors.Join(err, s.Broken)
}
