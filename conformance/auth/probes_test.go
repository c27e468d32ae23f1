package auth

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// probes are what kubelets, load balancers and people ask. etcd has no check of its own for "backend".
var probes = []string{
	"/health", "/health?serializable=true", "/livez", "/livez?verbose", "/livez/serializable_read", "/readyz",
	"/readyz/linearizable_read", "/readyz/serializable_read", "/readyz/data_corruption", "/readyz/non_learner",
}

// Whether users count makes no difference to probes, which show no token.
func TestProbesAnswerAsEtcd(t *testing.T) {
	for _, s := range []*store{startEtcd(t, "simple"), startZkine(t, "simple")} {
		t.Run(s.name, func(t *testing.T) {
			before := s.probe(t)
			ctx := t.Context()
			_, err := s.auth.UserAdd(ctx, &pb.AuthUserAddRequest{Name: "root", Password: "r"})
			require.NoError(t, err)
			_, err = s.auth.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"})
			require.NoError(t, err)
			_, err = s.auth.AuthEnable(ctx, &pb.AuthEnableRequest{})
			require.NoError(t, err)
			_, err = s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("health")})
			require.ErrorContains(t, err, "user name is empty")
			require.Equal(t, before, s.probe(t))
		})
	}
}

// probe returns what each probe is answered; all are answered 200.
func (s *store) probe(t *testing.T) map[string]string {
	answers := map[string]string{}
	for _, path := range probes {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+path, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s %s: %s", s.name, path, text)
		answers[path] = string(text)
	}
	return answers
}
