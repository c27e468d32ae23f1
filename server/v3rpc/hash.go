package v3rpc

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// HashKV hashes the keys' history: what etcd answers for the same one.
func (s *maintenanceServer) HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	resp, err := s.backend.HashKV(ctx, r)
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

// Hash hashes the database that Snapshot would send.
func (s *maintenanceServer) Hash(ctx context.Context, r *pb.HashRequest) (*pb.HashResponse, error) {
	resp, err := s.backend.Hash(ctx, r)
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}
