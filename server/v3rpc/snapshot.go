package v3rpc

import (
	"crypto/sha256"
	"errors"
	"hash"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/etcddb"
)

// snapshotChunk is how many bytes of a snapshot one message holds, as in etcd.
const snapshotChunk = 32 << 10

// Snapshot sends a database of etcd's in chunks, and the SHA-256 of it all as
// the last one. A client that takes nothing for too long is given up, which
// etcd does not: its snapshot takes disk here.
func (s *maintenanceServer) Snapshot(_ *pb.SnapshotRequest, stream pb.Maintenance_SnapshotServer) error {
	ctx := stream.Context()
	snapshot, err := s.backend.Snapshot(ctx)
	if err != nil {
		return ToGRPC(ctx, err)
	}
	out := &snapshotSender{stream: stream, remaining: snapshot.Size(), sum: sha256.New()}
	sent := make(chan error, 1)
	// It ends soon after the handler, at the latest, since the stream does then.
	s.senders.Go(func() {
		_, err := snapshot.WriteTo(out)
		if err == nil {
			err = out.finish()
		}
		sent <- errors.Join(err, snapshot.Close())
	})
	ticker := time.NewTicker(max(s.snapshotStall/stallTicks, 1))
	defer ticker.Stop()
	chunks, since := int64(0), 0 // how many ticks ago chunks was less
	for {
		select {
		case err := <-sent:
			return ToGRPC(ctx, err)
		case <-ticker.C:
			if now := out.chunks.Load(); now > chunks {
				chunks, since = now, 0
			} else if since++; since > stallTicks {
				return snapshotStalled(s.snapshotStall)
			}
		}
	}
}

// stallTicks is how often one looks whether a client takes anything, in the time
// after which it is given up.
const stallTicks = 4

// snapshotSender is a Writer that sends what is written.
type snapshotSender struct {
	stream    pb.Maintenance_SnapshotServer
	remaining int64
	sum       hash.Hash
	chunk     []byte
	chunks    atomic.Int64 // sent
}

func (s *snapshotSender) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		if s.chunk == nil { // a chunk that was sent belongs to gRPC
			s.chunk = make([]byte, 0, snapshotChunk)
		}
		part := p[n:min(len(p), n+cap(s.chunk)-len(s.chunk))]
		s.chunk = append(s.chunk, part...)
		n += len(part)
		if len(s.chunk) == cap(s.chunk) {
			if err := s.flush(); err != nil {
				return n, err
			}
		}
	}
	return len(p), nil
}

func (s *snapshotSender) flush() error {
	s.sum.Write(s.chunk)
	s.remaining -= int64(len(s.chunk))
	err := s.send(s.chunk)
	s.chunk = nil
	s.chunks.Add(1)
	return err
}

// finish sends what is left, and the sum.
func (s *snapshotSender) finish() error {
	if len(s.chunk) > 0 {
		if err := s.flush(); err != nil {
			return err
		}
	}
	return s.send(s.sum.Sum(nil))
}

func (s *snapshotSender) send(blob []byte) error {
	return s.stream.Send(&pb.SnapshotResponse{
		Blob: blob, RemainingBytes: uint64(max(s.remaining, 0)), Version: etcddb.Version,
	})
}
