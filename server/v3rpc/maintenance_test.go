package v3rpc

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/server/servertest"
)

func TestStatus(t *testing.T) {
	r := start(t)
	ask := func() *pb.StatusResponse {
		resp, err := pb.NewMaintenanceClient(r.Conn).Status(ctxFor(t), &pb.StatusRequest{})
		require.NoError(t, err)
		return resp
	}
	r.backend.Stands.Errors = []string{"memberID:1 alarm:NOSPACE"}
	want := &pb.StatusResponse{
		Header:  &pb.ResponseHeader{ClusterId: servertest.ClusterID, MemberId: servertest.MemberID, Revision: 42, RaftTerm: 9},
		Version: "3.7.3", StorageVersion: "3.7.0", DbSize: 1000, DbSizeInUse: 950, DbSizeQuota: 5000,
		Leader: servertest.MemberID, RaftTerm: 9, RaftIndex: 1<<32 + 5, RaftAppliedIndex: 1<<32 + 4,
		DowngradeInfo: &pb.DowngradeInfo{}, Errors: []string{"memberID:1 alarm:NOSPACE"},
	}
	got := ask()
	require.True(t, proto.Equal(want, got), "%v is not %v", got, want)
	r.backend.Stands.Sizes = revision.Sizes{}
	require.Equal(t, int64(1), ask().DbSize, "etcdctl divides by it")
	r.backend.SetReady(errAway)
	got = ask()
	require.Zero(t, got.Leader)
	require.Equal(t, []string{"etcdserver: no leader", "memberID:1 alarm:NOSPACE"}, got.Errors)
}

func TestAlarm(t *testing.T) {
	r := start(t)
	m := pb.NewMaintenanceClient(r.Conn)
	r.backend.SetAlarms(&pb.AlarmMember{MemberID: 1, Alarm: pb.AlarmType_NOSPACE}, &pb.AlarmMember{MemberID: 2, Alarm: pb.AlarmType_CORRUPT})
	req := &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: 3, Alarm: pb.AlarmType_NOSPACE}
	resp, err := m.Alarm(ctxFor(t), req)
	require.NoError(t, err)
	require.Len(t, resp.Alarms, 2)
	servertest.RequireHeader(t, 15, resp.Header)
	require.True(t, proto.Equal(req, r.backend.Requests()[0].(*pb.AlarmRequest)))

	_, err = m.Alarm(ctxFor(t), &pb.AlarmRequest{Action: 7})
	requireStatus(t, errMalformed, err)
	require.Len(t, r.backend.Requests(), 1, "nothing to be logged")
	r.backend.Fail(backend.ErrTooManyRequests)
	_, err = m.Alarm(ctxFor(t), &pb.AlarmRequest{})
	requireStatus(t, rpctypes.ErrGRPCRequestTooManyRequests, err)
}

func TestHashes(t *testing.T) {
	r := start(t)
	m := pb.NewMaintenanceClient(r.Conn)
	hash, err := m.Hash(ctxFor(t), &pb.HashRequest{})
	require.NoError(t, err)
	servertest.RequireHeader(t, 16, hash.Header)
	require.Equal(t, uint32(17), hash.Hash)
	kv, err := m.HashKV(ctxFor(t), &pb.HashKVRequest{Revision: 5})
	require.NoError(t, err)
	servertest.RequireHeader(t, 18, kv.Header)
	require.Equal(t, []int64{19, -1, 18}, []int64{int64(kv.Hash), kv.CompactRevision, kv.HashRevision})
	require.Equal(t, int64(5), r.backend.Requests()[1].(*pb.HashKVRequest).Revision)

	r.backend.Fail(state.ErrCompacted)
	_, err = m.HashKV(ctxFor(t), &pb.HashKVRequest{Revision: 5})
	requireStatus(t, rpctypes.ErrGRPCCompacted, err)
	r.backend.Fail(state.ErrFutureRev)
	_, err = m.HashKV(ctxFor(t), &pb.HashKVRequest{Revision: 5})
	requireStatus(t, rpctypes.ErrGRPCFutureRev, err)
	r.backend.Fail(backend.ErrClosed)
	_, err = m.Hash(ctxFor(t), &pb.HashRequest{})
	requireStatus(t, rpctypes.ErrGRPCStopped, err)
}

func TestDefragment(t *testing.T) {
	r := start(t)
	resp, err := pb.NewMaintenanceClient(r.Conn).Defragment(ctxFor(t), &pb.DefragmentRequest{})
	require.NoError(t, err)
	require.Nil(t, resp.Header)
	require.Equal(t, []any{"defragment"}, r.backend.Requests())
	r.backend.SetAnswer(func(context.Context, any) (any, error) { return nil, revision.ErrUnavailable })
	_, err = pb.NewMaintenanceClient(r.Conn).Defragment(ctxFor(t), &pb.DefragmentRequest{})
	require.Equal(t, rpctypes.ErrGRPCNoLeader.Error(), err.Error())
}

func TestMoveLeader(t *testing.T) {
	r := start(t)
	move := func(to uint64) error {
		_, err := pb.NewMaintenanceClient(r.Conn).MoveLeader(ctxFor(t), &pb.MoveLeaderRequest{TargetID: to})
		return err
	}
	require.NoError(t, move(servertest.MemberID), "already there")
	require.Equal(t, []any{servertest.MembersCall{Linearizable: true}}, r.backend.Requests(), "the members as they are, not as they were")
	requireStatus(t, rpctypes.ErrGRPCBadLeaderTransferee, move(0xa9))
	require.Equal(t, codes.Unimplemented, status.Code(move(0xa2)))
	require.ErrorContains(t, move(0xa2), "zkine: MoveLeader is not supported: ")
	r.backend.Stands.Leader = 0xa2
	requireStatus(t, rpctypes.ErrGRPCNotLeader, move(servertest.MemberID))
	r.backend.Stands.Leader = servertest.MemberID
	r.backend.SetReady(errAway)
	requireStatus(t, rpctypes.ErrGRPCNotLeader, move(servertest.MemberID))
}

func TestDowngrade(t *testing.T) {
	r := start(t)
	ask := func(action pb.DowngradeRequest_DowngradeAction, version string) (*pb.DowngradeResponse, error) {
		return pb.NewMaintenanceClient(r.Conn).Downgrade(ctxFor(t), &pb.DowngradeRequest{Action: action, Version: version})
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
	servertest.RequireHeader(t, 42, resp.Header)
	_, err = ask(7, "3.6")
	requireStatus(t, errUnknownMethod, err)
}

func TestSnapshot(t *testing.T) {
	r := start(t)
	for _, size := range []int{0, 1, snapshotChunk, snapshotChunk + 1, 7*snapshotChunk - 1, 8 * snapshotChunk} {
		file := &servertest.Snapshot{Bytes: make([]byte, size)}
		for i := range file.Bytes {
			file.Bytes[i] = byte(i * i >> 7)
		}
		r.backend.SetAnswer(func(context.Context, any) (any, error) { return file, nil })
		stream, err := pb.NewMaintenanceClient(r.Conn).Snapshot(ctxFor(t), &pb.SnapshotRequest{})
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
		require.Equal(t, file.Bytes, append([]byte{}, got...))
		resp, err := stream.Recv()
		require.NoError(t, err)
		sum := sha256.Sum256(file.Bytes)
		require.Equal(t, sum[:], resp.Blob)
		require.Zero(t, resp.RemainingBytes)
		_, err = stream.Recv()
		require.Equal(t, io.EOF, err)
		require.True(t, file.IsClosed())
	}
}

// A snapshot that breaks off ends with an error, never with a sum.
func TestSnapshotBroken(t *testing.T) {
	r := start(t)
	file := &servertest.Snapshot{Bytes: make([]byte, 3*snapshotChunk), Broken: errors.New("disk is gone")}
	r.backend.SetAnswer(func(context.Context, any) (any, error) { return file, nil })
	stream, err := pb.NewMaintenanceClient(r.Conn).Snapshot(ctxFor(t), &pb.SnapshotRequest{})
	require.NoError(t, err)
	for err == nil {
		var resp *pb.SnapshotResponse
		if resp, err = stream.Recv(); err == nil {
			require.NotEqual(t, sha256.Size, len(resp.Blob))
		}
	}
	requireStatus(t, status.Error(codes.Unknown, "zkine: disk is gone"), err)
	require.True(t, file.IsClosed())

	r.backend.Fail(backend.ErrClosed)
	stream, err = pb.NewMaintenanceClient(r.Conn).Snapshot(ctxFor(t), &pb.SnapshotRequest{})
	require.NoError(t, err)
	_, err = stream.Recv()
	requireStatus(t, rpctypes.ErrGRPCStopped, err)
}

// TestSnapshotStalled has a client take nothing: it is given up, the snapshot is
// closed, and the client is told once it goes on. One that takes its time is not.
func TestSnapshotStalled(t *testing.T) {
	const stall = 400 * time.Millisecond
	r := start(t, func(c *Config) { c.SnapshotStall = stall })
	file := &servertest.Snapshot{Bytes: make([]byte, 64<<20)}
	r.backend.SetAnswer(func(context.Context, any) (any, error) { return file, nil })
	stream, err := pb.NewMaintenanceClient(r.Conn).Snapshot(ctxFor(t), &pb.SnapshotRequest{})
	require.NoError(t, err)
	require.Eventually(t, file.IsClosed, soon, time.Millisecond)
	for err == nil {
		_, err = stream.Recv()
	}
	requireStatus(t, status.Error(codes.Aborted, "zkine: the snapshot is given up, since the client has taken nothing of it for 400ms"), err)

	slow := &servertest.Snapshot{Bytes: make([]byte, 1<<20)}
	r.backend.SetAnswer(func(context.Context, any) (any, error) { return slow, nil })
	stream, err = pb.NewMaintenanceClient(r.Conn).Snapshot(ctxFor(t), &pb.SnapshotRequest{})
	require.NoError(t, err)
	pace := time.NewTicker(2 * stall / (1 << 20 / snapshotChunk)) // twice as long as a client may stall
	defer pace.Stop()
	for err == nil {
		<-pace.C
		_, err = stream.Recv()
	}
	require.Equal(t, io.EOF, err)
}
