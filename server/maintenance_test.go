package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

func TestStatus(t *testing.T) {
	r := start(t)
	ask := func() *pb.StatusResponse {
		resp, err := pb.NewMaintenanceClient(r.conn).Status(ctxFor(t), &pb.StatusRequest{})
		require.NoError(t, err)
		return resp
	}
	r.backend.status.Errors = []string{"memberID:1 alarm:NOSPACE"}
	want := &pb.StatusResponse{
		Header:  &pb.ResponseHeader{ClusterId: fakeClusterID, MemberId: fakeMemberID, Revision: 42, RaftTerm: 9},
		Version: "3.7.3", StorageVersion: "3.7.0", DbSize: 1000, DbSizeInUse: 900, DbSizeQuota: 5000,
		Leader: fakeMemberID, RaftTerm: 9, RaftIndex: 1<<32 + 5, RaftAppliedIndex: 1<<32 + 4,
		DowngradeInfo: &pb.DowngradeInfo{}, Errors: []string{"memberID:1 alarm:NOSPACE"},
	}
	got := ask()
	require.True(t, proto.Equal(want, got), "%v is not %v", got, want)
	r.backend.status.Sizes = revision.Sizes{}
	require.Equal(t, int64(1), ask().DbSize, "etcdctl divides by it")
	r.backend.setReady(errAway)
	got = ask()
	require.Zero(t, got.Leader)
	require.Equal(t, []string{"etcdserver: no leader", "memberID:1 alarm:NOSPACE"}, got.Errors)
}

// No quota is told as an etcd tells it whose quota was disabled.
func TestStatusWithoutQuota(t *testing.T) {
	r := start(t)
	r.backend.status.Quota = -1
	resp, err := pb.NewMaintenanceClient(r.conn).Status(ctxFor(t), &pb.StatusRequest{})
	require.NoError(t, err)
	require.Equal(t, int64(-1), resp.DbSizeQuota)
	_, metrics := r.ask(t, "/metrics")
	require.Contains(t, metrics, "etcd_server_quota_backend_bytes -1\n")
}

func TestAlarm(t *testing.T) {
	r := start(t)
	m := pb.NewMaintenanceClient(r.conn)
	r.backend.alarms = []*pb.AlarmMember{{MemberID: 1, Alarm: pb.AlarmType_NOSPACE}, {MemberID: 2, Alarm: pb.AlarmType_CORRUPT}}
	req := &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: 3, Alarm: pb.AlarmType_NOSPACE}
	resp, err := m.Alarm(ctxFor(t), req)
	require.NoError(t, err)
	require.Len(t, resp.Alarms, 2)
	requireHeader(t, 15, resp.Header)
	require.True(t, proto.Equal(req, r.backend.requests()[0].(*pb.AlarmRequest)))

	_, err = m.Alarm(ctxFor(t), &pb.AlarmRequest{Action: 7})
	requireStatus(t, errMalformed, err)
	require.Len(t, r.backend.requests(), 1, "nothing to be logged")
	r.backend.fail(backend.ErrTooManyRequests)
	_, err = m.Alarm(ctxFor(t), &pb.AlarmRequest{})
	requireStatus(t, rpctypes.ErrGRPCRequestTooManyRequests, err)
}

func TestHashes(t *testing.T) {
	r := start(t)
	m := pb.NewMaintenanceClient(r.conn)
	hash, err := m.Hash(ctxFor(t), &pb.HashRequest{})
	require.NoError(t, err)
	requireHeader(t, 16, hash.Header)
	require.Equal(t, uint32(17), hash.Hash)
	kv, err := m.HashKV(ctxFor(t), &pb.HashKVRequest{Revision: 5})
	require.NoError(t, err)
	requireHeader(t, 18, kv.Header)
	require.Equal(t, []int64{19, -1, 18}, []int64{int64(kv.Hash), kv.CompactRevision, kv.HashRevision})
	require.Equal(t, int64(5), r.backend.requests()[1].(*pb.HashKVRequest).Revision)

	r.backend.fail(state.ErrCompacted)
	_, err = m.HashKV(ctxFor(t), &pb.HashKVRequest{Revision: 5})
	requireStatus(t, rpctypes.ErrGRPCCompacted, err)
	r.backend.fail(state.ErrFutureRev)
	_, err = m.HashKV(ctxFor(t), &pb.HashKVRequest{Revision: 5})
	requireStatus(t, rpctypes.ErrGRPCFutureRev, err)
	r.backend.fail(backend.ErrClosed)
	_, err = m.Hash(ctxFor(t), &pb.HashRequest{})
	requireStatus(t, rpctypes.ErrGRPCStopped, err)
}

func TestDefragment(t *testing.T) {
	r := start(t)
	resp, err := pb.NewMaintenanceClient(r.conn).Defragment(ctxFor(t), &pb.DefragmentRequest{})
	require.NoError(t, err)
	require.Nil(t, resp.Header)
	require.Equal(t, []any{"defragment"}, r.backend.requests())
	r.backend.answer = func(context.Context, any) (any, error) { return nil, revision.ErrUnavailable }
	_, err = pb.NewMaintenanceClient(r.conn).Defragment(ctxFor(t), &pb.DefragmentRequest{})
	require.Equal(t, rpctypes.ErrGRPCNoLeader.Error(), err.Error())
}

func TestMoveLeader(t *testing.T) {
	r := start(t)
	move := func(to uint64) error {
		_, err := pb.NewMaintenanceClient(r.conn).MoveLeader(ctxFor(t), &pb.MoveLeaderRequest{TargetID: to})
		return err
	}
	require.NoError(t, move(fakeMemberID), "already there")
	require.Equal(t, []any{true}, r.backend.requests(), "the members as they are, not as they were")
	requireStatus(t, rpctypes.ErrGRPCBadLeaderTransferee, move(0xa9))
	require.Equal(t, codes.Unimplemented, status.Code(move(0xa2)))
	require.ErrorContains(t, move(0xa2), "zkine: MoveLeader is not supported: ")
	r.backend.status.Leader = 0xa2
	requireStatus(t, rpctypes.ErrGRPCNotLeader, move(fakeMemberID))
	r.backend.status.Leader = fakeMemberID
	r.backend.setReady(errAway)
	requireStatus(t, rpctypes.ErrGRPCNotLeader, move(fakeMemberID))
}

func TestDowngrade(t *testing.T) {
	r := start(t)
	ask := func(action pb.DowngradeRequest_DowngradeAction, version string) (*pb.DowngradeResponse, error) {
		return pb.NewMaintenanceClient(r.conn).Downgrade(ctxFor(t), &pb.DowngradeRequest{Action: action, Version: version})
	}
	const validate, enable, cancel = pb.DowngradeRequest_VALIDATE, pb.DowngradeRequest_ENABLE, pb.DowngradeRequest_CANCEL
	for version, want := range map[string]error{
		"": rpctypes.ErrGRPCWrongDowngradeVersionFormat, "3.x": rpctypes.ErrGRPCWrongDowngradeVersionFormat,
		"3": rpctypes.ErrGRPCWrongDowngradeVersionFormat, "3.5": rpctypes.ErrGRPCInvalidDowngradeTargetVersion,
		"3.7.0": rpctypes.ErrGRPCInvalidDowngradeTargetVersion, "4.6.0": rpctypes.ErrGRPCInvalidDowngradeTargetVersion,
	} {
		_, err := ask(validate, version)
		requireStatus(t, want, err)
		_, err = ask(enable, version)
		requireStatus(t, want, err)
	}
	for _, version := range []string{"3.6", "3.6.0", "3.6.12"} {
		_, err := ask(enable, version)
		require.Equal(t, codes.Unimplemented, status.Code(err))
		require.ErrorContains(t, err, "zkine: Downgrade is not supported: ")
		require.ErrorContains(t, err, "to move to etcd 3.6, restore a snapshot in an etcd 3.7 and downgrade that")
	}
	resp, err := ask(cancel, "")
	require.NoError(t, err)
	require.Equal(t, "3.7", resp.Version)
	requireHeader(t, 42, resp.Header)
	_, err = ask(7, "3.6")
	requireStatus(t, errUnknownMethod, err)
}

// fakeSnapshot is a file in memory, written in pieces that fit no chunk.
type fakeSnapshot struct {
	bytes  []byte
	broken error
	closed atomic.Bool
}

func (f *fakeSnapshot) isClosed() bool { return f.closed.Load() }

func (f *fakeSnapshot) Size() int64 { return int64(len(f.bytes)) }

func (f *fakeSnapshot) Close() error {
	f.closed.Store(true)
	return nil
}

func (f *fakeSnapshot) WriteTo(w io.Writer) (n int64, err error) {
	for err == nil && int(n) < len(f.bytes) {
		var wrote int
		wrote, err = w.Write(f.bytes[n:min(len(f.bytes), int(n)+50001)])
		n += int64(wrote)
	}
	return n, errors.Join(err, f.broken)
}

func TestSnapshot(t *testing.T) {
	require.Equal(t, Config{Version: DefaultVersion}.minorVersion(), etcddb.Version)
	r := start(t)
	for _, size := range []int{0, 1, snapshotChunk, snapshotChunk + 1, 7*snapshotChunk - 1, 8 * snapshotChunk} {
		file := &fakeSnapshot{bytes: make([]byte, size)}
		for i := range file.bytes {
			file.bytes[i] = byte(i * i >> 7)
		}
		r.backend.setAnswer(func(context.Context, any) (any, error) { return file, nil })
		stream, err := pb.NewMaintenanceClient(r.conn).Snapshot(ctxFor(t), &pb.SnapshotRequest{})
		require.NoError(t, err)
		var got []byte
		for len(got) < size {
			resp, err := stream.Recv()
			require.NoError(t, err)
			require.Len(t, resp.Blob, min(snapshotChunk, size-len(got)))
			got = append(got, resp.Blob...)
			require.Equal(t, uint64(size-len(got)), resp.RemainingBytes)
			require.Equal(t, "3.7.0", resp.Version)
		}
		require.Equal(t, file.bytes, append([]byte{}, got...))
		resp, err := stream.Recv()
		require.NoError(t, err)
		sum := sha256.Sum256(file.bytes)
		require.Equal(t, sum[:], resp.Blob)
		require.Zero(t, resp.RemainingBytes)
		_, err = stream.Recv()
		require.Equal(t, io.EOF, err)
		require.True(t, file.isClosed())
	}
}

// A snapshot that breaks off ends with an error, never with a sum.
func TestSnapshotBroken(t *testing.T) {
	r := start(t)
	file := &fakeSnapshot{bytes: make([]byte, 3*snapshotChunk), broken: errors.New("disk is gone")}
	r.backend.setAnswer(func(context.Context, any) (any, error) { return file, nil })
	stream, err := pb.NewMaintenanceClient(r.conn).Snapshot(ctxFor(t), &pb.SnapshotRequest{})
	require.NoError(t, err)
	for err == nil {
		var resp *pb.SnapshotResponse
		if resp, err = stream.Recv(); err == nil {
			require.NotEqual(t, sha256.Size, len(resp.Blob))
		}
	}
	requireStatus(t, status.Error(codes.Unknown, "zkine: disk is gone"), err)
	require.True(t, file.isClosed())

	r.backend.fail(backend.ErrClosed)
	stream, err = pb.NewMaintenanceClient(r.conn).Snapshot(ctxFor(t), &pb.SnapshotRequest{})
	require.NoError(t, err)
	_, err = stream.Recv()
	requireStatus(t, rpctypes.ErrGRPCStopped, err)
}

// TestSnapshotStalled has a client take nothing: it is given up, the snapshot is
// closed, and the client is told once it goes on. One that takes its time is not.
func TestSnapshotStalled(t *testing.T) {
	const stall = 400 * time.Millisecond
	r := start(t, func(c *Config) { c.SnapshotStall = stall })
	file := &fakeSnapshot{bytes: make([]byte, 64<<20)}
	r.backend.setAnswer(func(context.Context, any) (any, error) { return file, nil })
	stream, err := pb.NewMaintenanceClient(r.conn).Snapshot(ctxFor(t), &pb.SnapshotRequest{})
	require.NoError(t, err)
	require.Eventually(t, file.isClosed, soon, time.Millisecond)
	for err == nil {
		_, err = stream.Recv()
	}
	requireStatus(t, status.Error(codes.Aborted, "zkine: the snapshot is given up, since the client has taken nothing of it for 400ms"), err)

	slow := &fakeSnapshot{bytes: make([]byte, 1<<20)}
	r.backend.setAnswer(func(context.Context, any) (any, error) { return slow, nil })
	stream, err = pb.NewMaintenanceClient(r.conn).Snapshot(ctxFor(t), &pb.SnapshotRequest{})
	require.NoError(t, err)
	pace := time.NewTicker(2 * stall / (1 << 20 / snapshotChunk)) // twice as long as a client may stall
	defer pace.Stop()
	for err == nil {
		<-pace.C
		_, err = stream.Recv()
	}
	require.Equal(t, io.EOF, err)
}
