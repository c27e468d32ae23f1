package contender

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/api/process"
)

// startEtcd starts an etcd cluster with its defaults, but for a quota that the whole run fits into.
func startEtcd(members int) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		clients, err := FreeAddresses(members)
		if err != nil {
			return err
		}
		peers, err := FreeAddresses(members)
		if err != nil {
			return err
		}
		var cluster []string
		for i, p := range peers {
			cluster = append(cluster, fmt.Sprintf("m%d=http://%s", i, p))
		}
		var processes []*process.Process
		for i := range members {
			dir, err := s.folder(c.Name)
			if err != nil {
				return err
			}
			client, peer := "http://"+clients[i], "http://"+peers[i]
			p, err := s.run(s.Programs.Etcd, []string{
				fmt.Sprintf("--name=m%d", i), fmt.Sprintf("--data-dir=%s", filepath.Join(dir, fmt.Sprint(i))), "--log-level=error",
				fmt.Sprintf("--quota-backend-bytes=%d", 8<<30),
				"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
				"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
				"--initial-cluster=" + strings.Join(cluster, ","),
			})
			if err != nil {
				return err
			}
			processes, c.servers = append(processes, p), append(c.servers, p)
		}
		for i, p := range processes {
			if err := AwaitServing(ctx, clients[i], p); err != nil {
				return err
			}
		}
		c.locate = func(ctx context.Context) (string, error) { return leader(ctx, clients) }
		return nil
	}
}

// leader is the endpoint of the member that leads. What a follower takes it hands to the leader, so clients of the
// leader see etcd at its best.
func leader(ctx context.Context, endpoints []string) (string, error) {
	for _, endpoint := range endpoints {
		conn, err := Dial(endpoint)
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
