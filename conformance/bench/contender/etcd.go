package contender

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/rig"
)

// startEtcd starts an etcd cluster with its defaults, but for a quota that the whole run fits into.
func startEtcd(members int) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		dir, err := s.folder(c.Name)
		if err != nil {
			return err
		}
		etcds, err := rig.NewEtcds(members, rig.EtcdConfig{
			Program: s.Programs.Etcd, Name: "m", DataDir: dir,
			Args: []string{"--log-level=error", fmt.Sprintf("--quota-backend-bytes=%d", 8<<30)},
		})
		if err != nil {
			return err
		}
		var clients []string
		for _, e := range etcds {
			s.stopLater(e.Process)
			clients, c.servers = append(clients, e.Endpoint), append(c.servers, e)
			if err := e.Start(); err != nil {
				return err
			}
		}
		for _, e := range etcds {
			if err := e.AwaitServing(ctx); err != nil {
				return err
			}
		}
		c.endpoints = clients
		c.locate = func(ctx context.Context) (string, error) { return leader(ctx, clients) }
		return nil
	}
}

// leader is the endpoint of the member that leads. What a follower takes it hands to the leader, so clients of the
// leader see etcd at its best.
func leader(ctx context.Context, endpoints []string) (string, error) {
	for _, endpoint := range endpoints {
		conn, err := rig.Dial(endpoint)
		if err != nil {
			return "", err
		}
		status, err := pb.NewMaintenanceClient(conn).Status(ctx, &pb.StatusRequest{})
		conn.Close()
		if err != nil {
			return "", err
		}
		if status.Leader == status.Header.MemberId {
			return endpoint, nil
		}
	}
	return "", fmt.Errorf("none of the etcds %q leads", endpoints)
}
