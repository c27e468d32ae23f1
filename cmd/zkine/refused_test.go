package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/revision/zktest"
)

// body asks a metrics URL, and returns the status code and what it says.
func (p *process) body(path string) (int, string) {
	p.t.Helper()
	address := p.await(`serving metrics and health.*address="?([^" \n]+)"?`)
	response, err := http.Get("http://" + address + path)
	require.NoError(p.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	return response.StatusCode, string(text)
}

// TestAServerThatDemandsAuthentication looks what a start says that no server lets
// in: the probes and the log name the demand and the remedy, and the log has few
// lines.
func TestAServerThatDemandsAuthentication(t *testing.T) {
	server := zktest.Start(t, zktest.WithProperty("enforce.auth.enabled", "true"), zktest.WithProperty("enforce.auth.schemes", "digest"))
	p := startZkine(t, []string{"--zookeeper=" + server.Addr()})
	const remedy = "name credentials that the server knows with --zookeeper-auth-file"
	p.await(`SESSIONCLOSEDREQUIRESASLAUTH \(-124\).*` + remedy)
	require.Eventually(t, func() bool {
		code, text := p.body("/readyz")
		return code == 503 && strings.Contains(text, remedy)
	}, limit, 50*time.Millisecond)
	lines := strings.Count(p.text(), "\n")
	time.Sleep(3 * time.Second) // the lines of these 3 s are counted
	require.LessOrEqual(t, strings.Count(p.text(), "\n")-lines, 3)
	require.Equal(t, 200, p.get("/livez"))
}

// TestACredentialThatIsNotTakenIsTold: a start that no server lets in for its
// credential says so at once, and rarely.
func TestACredentialThatIsNotTakenIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth")
	require.NoError(t, os.WriteFile(file, []byte("sasl:zkine:pw\n"), 0o600))
	p := startZkine(t, []string{"--zookeeper=" + zktest.Shared(t).Addr(), "--zookeeper-auth-file=" + file})
	const told = "the ACLs could not be looked at; trying again"
	p.await(told + ".*does not accept a credential of scheme sasl.*see --zookeeper-auth-file")
	require.Eventually(t, func() bool {
		_, text := p.body("/readyz")
		return strings.Contains(text, "see --zookeeper-auth-file")
	}, limit, 50*time.Millisecond)
	require.Equal(t, 1, strings.Count(p.text(), told))
}

// TestAProcessUnderAUsedUpQuota uses a quota up, and starts zkine again under it:
// clients hear that there is no space, probes name the quota and the remedy, reads
// are served.
func TestAProcessUnderAUsedUpQuota(t *testing.T) {
	server := zktest.Start(t, zktest.WithEnforcedQuotas())
	args := []string{"--zookeeper=" + server.Addr(), "--name=a"}
	p := startZkine(t, args)
	kv := client(t, p.ready())
	put(t, kv, "k", "v")
	server.SetQuota("/zkine", 1, -1)
	refused := func(p *process, kv pb.KVClient) {
		t.Helper()
		_, err := kv.Put(within(t), &pb.PutRequest{Key: []byte("k"), Value: []byte("more")})
		require.Equal(t, codes.ResourceExhausted, status.Code(err), "%v", err)
		require.Equal(t, "etcdserver: mvcc: database space exceeded", status.Convert(err).Message())
		code, text := p.body("/readyz")
		require.Equal(t, 200, code, "reads are served")
		require.Contains(t, text, "QUOTAEXCEEDED (-125)")
		require.Contains(t, text, "setquota")
		code, text = p.body("/health")
		require.Equal(t, 503, code)
		require.Contains(t, text, "setquota")
		expect(t, kv, "k", "v")
		p.await(`ZooKeeper refuses writes.*QUOTAEXCEEDED`)
	}
	refused(p, kv)
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.end())

	p = startZkine(t, args)
	kv = client(t, p.ready())
	p.await(`not in the list of members yet; serving all the same`)
	refused(p, kv)
	server.SetQuota("/zkine", -1, -1)
	p.await(`ZooKeeper takes writes again`)
	p.await(`in the list of members now`)
	put(t, kv, "k", "after")
	code, text := p.body("/readyz")
	require.Equal(t, 200, code)
	require.Equal(t, "ok\n", text)
}
