package traces

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
	"github.com/zkine/zkine/revision/zktest/certs"
)

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = 3 * time.Minute

var allFlag = flag.Bool("all", false, "run what needs a kube-apiserver and an etcd, which are built if they are missing: make traces")

func TestMain(m *testing.M) { zktest.Main(m) }

func long(t *testing.T) {
	t.Helper()
	if !*allFlag {
		t.Skip("takes a kube-apiserver; make traces runs it")
	}
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// flags are the same for etcd and zkine. rate is of calls without a traceparent, in a million.
func (c *collecting) flags(rate int) []string {
	return []string{"--enable-distributed-tracing", "--distributed-tracing-address=" + c.addr, fmt.Sprint("--distributed-tracing-sampling-rate=", rate)}
}

// The call that kube-apiserver's client of etcd makes is above zkine's, up to the request that kube-apiserver was asked.
func TestAPIServersTraceGoesOn(t *testing.T) {
	long(t)
	c := collect(t)
	z := rigtest.Start(t, c.flags(0)...)
	api := startAPIServer(t, z.Endpoint, c.addr)
	api.post(t, "/api/v1/namespaces", `{"metadata":{"name":"traced"}}`)
	api.post(t, "/api/v1/namespaces/traced/configmaps", `{"metadata":{"name":"hush"},"data":{"k":"hush"}}`)

	var way []span
	require.NoError(t, rig.Poll(within(t), func() error {
		way = nil
		writes := c.find(func(s span) bool {
			return s.service == "zkine" && s.Name == "txn" && s.attribute("zkine.key.prefix") == "/registry/configmaps/traced/"
		})
		if len(writes) == 0 {
			return errors.New("zkine has sent no span of the write")
		}
		for s, ok := writes[0], true; ok; s, ok = c.parent(s) {
			way = append(way, s)
		}
		if top := way[len(way)-1]; len(top.ParentSpanId) > 0 {
			return fmt.Errorf("the parent of %s of %s did not come", top.Name, top.service)
		}
		return nil
	}))
	var told []string
	for _, s := range way {
		told = append(told, s.service+": "+s.Name)
	}
	t.Log(strings.Join(told, " < "))
	require.GreaterOrEqual(t, len(way), 4)
	require.Equal(t, "zkine: etcdserverpb.KV/Txn", told[1])
	require.Equal(t, tracepb.Span_SPAN_KIND_SERVER, way[1].Kind)
	require.Equal(t, "apiserver: etcdserverpb.KV/Txn", told[2])
	require.Equal(t, tracepb.Span_SPAN_KIND_CLIENT, way[2].Kind)
	require.Equal(t, "apiserver", way[len(way)-1].service)
	require.Equal(t, "configmaps", way[0].attribute("k8s.resource"))
	require.Equal(t, "traced", way[0].attribute("k8s.namespace.name"))
	require.Contains(t, way[0].attribute("user_agent.original"), "grpc-go/")
	require.NotEmpty(t, c.find(func(s span) bool { return s.Name == "append" && string(s.ParentSpanId) == string(way[0].SpanId) }))
	for _, s := range c.find(func(s span) bool { return s.service == "zkine" }) {
		require.NotContains(t, s.String(), "hush")
	}
}

// The same calls have spans of the same names in etcd and in zkine, as docs/tracing.md says; in place of etcd's events of
// raft there are spans.
func TestSpansHaveEtcdsNames(t *testing.T) {
	long(t)
	ofEtcd, ofZkine := collect(t), collect(t)
	etcd, err := rig.NewEtcd(rig.EtcdConfig{Program: rigtest.Component(t, "etcd"), Name: "etcd", DataDir: t.TempDir(), Args: ofEtcd.flags(1_000_000)})
	require.NoError(t, err)
	t.Cleanup(func() { etcd.Kill() })
	require.NoError(t, etcd.Up(within(t)))
	z := rigtest.Start(t, ofZkine.flags(1_000_000)...)
	everyCall(t, etcd.Endpoint)
	everyCall(t, z.Endpoint)

	shared := []string{"compact", "delete_range", "lease_grant", "lease_renew", "lease_revoke", "put", "range", "txn"}
	for name, c := range map[string]*collecting{"etcd": ofEtcd, "zkine": ofZkine} {
		require.NoError(t, rig.Poll(within(t), func() error {
			for _, want := range append([]string{"etcdserverpb.KV/Put"}, shared...) {
				if len(c.find(func(s span) bool { return s.Name == want })) == 0 {
					return fmt.Errorf("%s has sent no span %s", name, want)
				}
			}
			return nil
		}))
	}
	t.Log("etcd's: ", names(ofEtcd))
	t.Log("zkine's:", names(ofZkine))
	put := ofEtcd.find(func(s span) bool { return s.Name == "put" })[0]
	var events []string
	for _, e := range put.Events {
		events = append(events, e.Name)
	}
	require.Subset(t, events, []string{"Send raft proposal", "Receive raft result"})
	for _, part := range []string{"queue", "append", "barrier", "apply", "answer"} {
		require.NotEmpty(t, ofZkine.find(func(s span) bool { return s.Name == part }), part)
	}
	// What etcd has besides, zkine has as well, but for etcd's own parts of a call.
	for _, name := range names(ofEtcd) {
		if strings.HasPrefix(name, "etcdserverpb.") {
			require.Contains(t, names(ofZkine), name)
		}
	}
}

func names(c *collecting) (all []string) {
	for _, s := range c.find(func(span) bool { return true }) {
		all = append(all, s.Name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// everyCall makes each call of which etcd has a span of its own.
func everyCall(t *testing.T, endpoint string) {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}})
	require.NoError(t, err)
	defer c.Close()
	ctx := within(t)
	put, err := c.Put(ctx, "/a/k", "value")
	require.NoError(t, err)
	_, err = c.Get(ctx, "/a/k")
	require.NoError(t, err)
	_, err = c.Txn(ctx).If(clientv3.Compare(clientv3.Version("/a/k"), "=", 1)).Then(clientv3.OpPut("/a/k", "more")).Commit()
	require.NoError(t, err)
	_, err = c.Delete(ctx, "/a/k")
	require.NoError(t, err)
	_, err = c.Compact(ctx, put.Header.Revision)
	require.NoError(t, err)
	lease, err := c.Grant(ctx, 60)
	require.NoError(t, err)
	_, err = c.KeepAliveOnce(ctx, lease.ID)
	require.NoError(t, err)
	_, err = c.Revoke(ctx, lease.ID)
	require.NoError(t, err)
}

type apiserver struct {
	*rig.Process
	url  string
	http *http.Client
}

// startAPIServer starts a kube-apiserver that sends spans of all requests, and returns when it is ready.
func startAPIServer(t *testing.T, store, collector string) *apiserver {
	t.Helper()
	dir := t.TempDir()
	authority, err := certs.New(dir)
	require.NoError(t, err)
	issue := func(name pkix.Name, hosts ...string) certs.Issued {
		issued, err := authority.Issue(name, hosts...)
		require.NoError(t, err)
		return issued
	}
	serving, tokens := issue(pkix.Name{CommonName: "serving"}, "127.0.0.1"), issue(pkix.Name{CommonName: "service-accounts"})
	tls, err := authority.ClientConfig(issue(pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}))
	require.NoError(t, err)
	tracing := filepath.Join(dir, "tracing.yaml")
	require.NoError(t, os.WriteFile(tracing, []byte("apiVersion: apiserver.config.k8s.io/v1\nkind: TracingConfiguration\nendpoint: "+collector+"\nsamplingRatePerMillion: 1000000\n"), 0o600))
	addresses, err := rig.FreeAddresses(1)
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(addresses[0])
	require.NoError(t, err)
	a := &apiserver{url: "https://" + addresses[0], http: &http.Client{Transport: &http.Transport{TLSClientConfig: tls, ForceAttemptHTTP2: true}}}
	t.Cleanup(a.http.CloseIdleConnections)
	a.Process = rig.New(rig.Program{
		Name: "kube-apiserver", Path: rigtest.Component(t, "kube-apiserver"), Log: filepath.Join(dir, "kube-apiserver.log"),
		Args: []string{
			"--etcd-servers=http://" + store, "--tracing-config-file=" + tracing,
			// Written into the kubernetes Service's endpoints, where an address of loopback is refused.
			"--bind-address=127.0.0.1", "--secure-port=" + port, "--advertise-address=192.0.2.1",
			"--tls-cert-file=" + serving.CertFile, "--tls-private-key-file=" + serving.KeyFile, "--client-ca-file=" + authority.CertFile(),
			"--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://traces.invalid",
			"--service-account-key-file=" + tokens.CertFile, "--service-account-signing-key-file=" + tokens.KeyFile,
		},
	})
	t.Cleanup(func() { a.Kill() })
	require.NoError(t, a.Start())
	require.NoError(t, rig.Poll(within(t), func() error {
		if err := a.Ended(); err != nil {
			return err
		}
		return a.ask(within(t), http.MethodGet, "/readyz", "")
	}))
	return a
}

func (a *apiserver) post(t *testing.T, path, object string) {
	t.Helper()
	require.NoError(t, a.ask(within(t), http.MethodPost, path, object))
}

func (a *apiserver) ask(ctx context.Context, method, path, object string) error {
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, strings.NewReader(object))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode/100 != 2 {
		return errors.Join(fmt.Errorf("%s: %d %s", path, resp.StatusCode, text), err)
	}
	return nil
}
