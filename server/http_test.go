package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/server/servertest"
)

// ask gets a path of the metrics URL.
func (r *running) ask(t *testing.T, path string) (code int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(r.metrics + path)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

func (r *running) requireAnswer(t *testing.T, path string, code int, body string) {
	t.Helper()
	gotCode, gotBody := r.ask(t, path)
	require.Equal(t, body, gotBody)
	require.Equal(t, code, gotCode)
}

// accepting waits until clients are served.
func (r *running) accepting(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		f := r.facade.Load()
		return f != nil && f.accepting.Load()
	}, soon, 1)
}

const healthy = `{"health":"true","reason":""}`

func TestHTTPWhenReady(t *testing.T) {
	r := start(t)
	r.accepting(t)
	r.requireAnswer(t, "/version", 200, `{"etcdserver":"3.7.3","etcdcluster":"3.7.0","storage":"3.7.0"}`)
	r.requireAnswer(t, "/health", 200, healthy)
	r.requireAnswer(t, "/health?serializable=true", 200, healthy)
	r.requireAnswer(t, "/livez", 200, "ok\n")
	r.requireAnswer(t, "/livez?verbose", 200, "[+]serializable_read ok\nok\n")
	r.requireAnswer(t, "/readyz", 200, "ok\n")
	r.requireAnswer(t, "/readyz?verbose", 200, "[+]backend ok\n[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n")
	r.requireAnswer(t, "/readyz/linearizable_read?verbose", 200, "[+]linearizable_read ok\nok\n")
	r.requireAnswer(t, "/readyz?verbose&exclude=backend&exclude=data_corruption&exclude=unheard_of", 200, "[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n")
	code, _ := r.ask(t, "/nothing")
	require.Equal(t, 404, code)
}

// Before there is a backend, the process is alive and nothing else.
func TestHTTPWhileStarting(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Backend = nil
		c.StartupStep = func() string { return "replaying the log: 43 %" }
	})
	const why = "zkine is starting: the state is not loaded from ZooKeeper yet: replaying the log: 43 %"
	r.requireAnswer(t, "/livez", 200, "ok\n")
	r.requireAnswer(t, "/health", 503, `{"health":"false","reason":"`+why+`"}`+"\n")
	code, body := r.ask(t, "/readyz")
	require.Equal(t, 503, code)
	require.Contains(t, body, "[-]backend failed: "+why+"\n")
	require.Contains(t, body, "[+]non_learner ok\n")
	_, body = r.ask(t, "/metrics")
	require.Contains(t, body, "etcd_server_has_leader 0\n")

	r.Attach(r.backend, servertest.MemberID)
	require.Eventually(t, func() bool { code, _ := r.ask(t, "/readyz"); return code == 200 }, soon, 1)
	r.accepting(t)
	r.requireAnswer(t, "/health", 200, healthy)
	require.Panics(t, func() { r.Attach(r.backend, servertest.MemberID) })
}

// A backend that replays is not read from.
func TestHTTPWhileReplaying(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Backend.(*servertest.Backend).SetReady(errors.New("replaying the log: slot 3 of 9"))
	})
	r.requireAnswer(t, "/livez", 200, "ok\n")
	code, body := r.ask(t, "/readyz")
	require.Equal(t, 503, code)
	require.Contains(t, body, "[-]backend failed: replaying the log: slot 3 of 9\n")
	require.Contains(t, body, "[-]linearizable_read failed: replaying the log: slot 3 of 9\n")
	code, _ = r.ask(t, "/health?serializable=true")
	require.Equal(t, 503, code)
}

// An outage of ZooKeeper is no reason to restart.
func TestHTTPWithoutZooKeeper(t *testing.T) {
	r := start(t)
	r.accepting(t)
	r.backend.SetReady(errAway)
	r.backend.SetAnswer(func(_ context.Context, req any) (any, error) {
		if read, ok := req.(*pb.RangeRequest); !ok || !read.Serializable {
			return nil, errors.New("would wait for ZooKeeper")
		}
		return nil, nil
	})
	r.requireAnswer(t, "/livez", 200, "ok\n")
	r.requireAnswer(t, "/health", 503, `{"health":"false","reason":"RAFT NO LEADER: ZooKeeper is away"}`+"\n")
	r.requireAnswer(t, "/health?serializable=true", 200, healthy)
	r.requireAnswer(t, "/readyz", 503, "[-]backend failed: ZooKeeper is away\n[+]data_corruption ok\n[+]serializable_read ok\n[-]linearizable_read failed: ZooKeeper is away\n[+]non_learner ok\n\n")
}

// Whoever only reads is served while ZooKeeper refuses writes.
func TestHTTPWhileWritesAreRefused(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Backend.(*servertest.Backend).Stands.Refused = errors.New("a quota is used up; raise it")
	})
	r.accepting(t)
	r.requireAnswer(t, "/livez", 200, "ok\n")
	r.requireAnswer(t, "/health", 503, `{"health":"false","reason":"ZOOKEEPER REFUSES WRITES: a quota is used up; raise it"}`+"\n")
	r.requireAnswer(t, "/health?serializable=true", 200, healthy)
	r.requireAnswer(t, "/readyz", 200, "[+]backend ok, but: a quota is used up; raise it\n[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n")
}

func TestHTTPAlarmsAndErrors(t *testing.T) {
	r := start(t)
	r.accepting(t)
	r.backend.SetAlarms(&pb.AlarmMember{Alarm: pb.AlarmType_NOSPACE})
	r.requireAnswer(t, "/health", 503, `{"health":"false","reason":"ALARM NOSPACE"}`+"\n")
	r.requireAnswer(t, "/health?exclude=NOSPACE", 200, healthy)
	r.requireAnswer(t, "/readyz", 200, "ok\n")
	r.backend.SetAlarms(&pb.AlarmMember{Alarm: pb.AlarmType_CORRUPT})
	r.requireAnswer(t, "/readyz/data_corruption", 503, "[-]data_corruption failed: alarm activated: CORRUPT\n\n")
	r.backend.SetAlarms(&pb.AlarmMember{Alarm: 7})
	r.requireAnswer(t, "/readyz", 200, "ok\n")
	r.backend.SetReady(errAway) // alarms come first, and need no ZooKeeper
	r.requireAnswer(t, "/health", 503, `{"health":"false","reason":"ALARM UNKNOWN"}`+"\n")
	r.backend.SetReady(nil)

	r.backend.SetAlarms()
	r.backend.Fail(revision.ErrClosed)
	code, body := r.ask(t, "/health")
	require.Equal(t, 503, code)
	require.Contains(t, body, "RANGE ERROR:")
	require.Contains(t, body, "etcdserver: server stopped")
	code, _ = r.ask(t, "/livez")
	require.Equal(t, 503, code, "a closed backend does not come back")
}

func TestHTTPMethod(t *testing.T) {
	r := start(t)
	for _, path := range []string{"/health", "/livez", "/readyz", "/version", "/livez/serializable_read"} {
		req, err := http.NewRequest(http.MethodPost, r.metrics+path, strings.NewReader(""))
		require.NoError(t, err)
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, 405, resp.StatusCode)
		require.Equal(t, "GET", resp.Header.Get("Allow"))
	}
}

func TestMetrics(t *testing.T) {
	r := start(t)
	_, err := r.Send(ctxFor(t), &pb.PutRequest{Key: []byte("k")})
	require.NoError(t, err)
	_, body := r.ask(t, "/metrics")
	for _, line := range []string{
		"etcd_server_has_leader 1",
		"etcd_server_is_leader 1",
		`etcd_server_id{server_id="a1"} 1`,
		`etcd_server_version{server_version="3.7.3"} 1`,
		"etcd_debugging_mvcc_current_revision 42",
		"etcd_debugging_mvcc_compact_revision 7",
		"etcd_mvcc_db_total_size_in_bytes 1000",
		"etcd_mvcc_db_total_size_in_use_in_bytes 950",
		"etcd_server_quota_backend_bytes 5000",
		`zkine_zookeeper_bytes{part="checkpoint"} 200`,
		`zkine_zookeeper_bytes{part="log"} 400`,
		`zkine_zookeeper_bytes{part="packed"} 300`,
		`zkine_zookeeper_bytes{part="staged"} 100`,
		"zkine_zookeeper_znodes 17",
		"zkine_applied_index 4.2949673e+09",
		"zkine_term 9",
		"etcd_debugging_mvcc_watcher_total 0",
		"etcd_debugging_mvcc_watch_stream_total 0",
		`etcd_server_client_requests_total{client_api_version="unknown",type="unary"} 1`,
		`grpc_server_handled_total{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1`,
		`grpc_server_handled_total{grpc_code="OK",grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 0`,
		"etcd_network_client_grpc_received_bytes_total",
		"etcd_network_client_grpc_sent_bytes_total",
	} {
		require.Contains(t, body, "\n"+line)
	}
	_, err = New(Config{ClientURLs: []string{"http://x:1"}, Registry: r.cfg.Registry})
	require.Error(t, err, "one server a registry")
}

func TestPprof(t *testing.T) {
	for enabled, want := range map[bool]int{false: http.StatusNotFound, true: http.StatusOK} {
		t.Run(fmt.Sprintf("enabled=%v", enabled), func(t *testing.T) {
			r := start(t, func(c *Config) { c.EnablePprof = enabled })
			code, _ := r.ask(t, "/debug/pprof/goroutine?debug=1")
			require.Equal(t, want, code)
		})
	}
}
