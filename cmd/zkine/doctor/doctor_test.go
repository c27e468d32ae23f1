package doctor

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient/identity"
	"github.com/zkine/zkine/revision/zktest"
)

// allWords is what a server takes that can be looked at.
func allWords() zktest.Option {
	return zktest.WithProperty("4lw.commands.whitelist", "srvr,mntr,conf,envi")
}

func zooCfg(t *testing.T, s *zktest.Server) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.DataDir(), "zoo.cfg"))
	require.NoError(t, err)
	return string(text)
}

// TestAServerThatSuits has nothing that matters.
func TestAServerThatSuits(t *testing.T) {
	t.Parallel()
	s := zktest.Start(t, allWords(), zktest.WithFsync(), zktest.WithTickTime(time.Second), zktest.WithHeap(2<<30),
		zktest.WithProperty("dataLogDir", t.TempDir()))
	cfg := configOf("/zkine", s.Addr())
	cfg.ZooCfg = zooCfg(t, s)
	r := looked(t, cfg)
	require.False(t, r.Blind)
	for _, f := range r.Findings {
		if f.Check != "quorum" && f.Check != "fsync" { // which are the machine's
			require.NotEqual(t, Problem, f.Level, "%+v", f)
		}
	}
	for _, check := range []string{"versions", "servers", "words", "request", "session", "local-sessions", "tls", "acl", "znode-quota", "heap", "disk", "connections", "settings", "clock"} {
		requireOnly(t, r, check, OK)
	}
	requireFinding(t, r, "ensemble", Advice, "it stands alone")
	requireFinding(t, r, "root", OK, "there is no cluster under /zkine yet")
	requireFinding(t, r, "members", Unknown, "there is no cluster")
	requireNothingLeft(t, s, "/")
}

// requireNothingLeft expects the scratch znodes to be gone.
func requireNothingLeft(t *testing.T, s *zktest.Server, folder string) {
	t.Helper()
	conn, _, err := zk.Connect([]string{s.Addr()}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer conn.Close()
	names, _, err := conn.Children(folder)
	require.NoError(t, err)
	require.NotContains(t, strings.Join(names, " "), scratchName)
}

// TestAServerThatDoesNotSuit has much that matters.
func TestAServerThatDoesNotSuit(t *testing.T) {
	t.Parallel()
	s := zktest.Start(t, zktest.WithJuteMaxBuffer(300_000), zktest.WithProperty("maxClientCnxns", "20"), zktest.WithProperty("maxSessionTimeout", "4000"),
		zktest.WithProperty("4lw.commands.whitelist", "srvr,mntr,conf,envi"),
		zktest.WithProperty("autopurge.purgeInterval", "0"), zktest.WithProperty("nio.numWorkerThreads", "4"))
	conn, _, err := zk.Connect([]string{s.Addr()}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Create("/shop", nil, 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	s.SetQuota("/shop", 1000, 1<<20)
	cfg := configOf("/shop/zkine", s.Addr())
	cfg.ZooCfg, cfg.Quota = zooCfg(t, s), 2<<30
	ahead := time.Hour
	cfg.Now = func() time.Time { return time.Now().Add(-ahead) }
	r := looked(t, cfg)
	requireFinding(t, r, "request", Problem, "it takes requests up to some 29")
	requireFinding(t, r, "fsync", Problem, "it acknowledges writes that are not on its disk")
	requireFinding(t, r, "clock", Problem, "its clock is 1h0m0s ahead of this machine's")
	requireFinding(t, r, "session", Advice, "it grants a session of 4s, and zkine asks for 10s (it grants 400 to 4000 ms)")
	requireFinding(t, r, "connections", Problem, "it takes 20 connections from one address")
	requireFinding(t, r, "znode-quota", Problem, "/shop: it may hold 1048576 bytes")
	requireFinding(t, r, "znode-quota", Problem, "/shop: it may hold 1000 znodes")
	requireFinding(t, r, "heap", Problem, "its heap of 25")
	requireFinding(t, r, "disk", Problem, "it keeps every snapshot and log file, by zoo.cfg")
	requireFinding(t, r, "disk", Advice, "its log is in the folder of its snapshots")
	requireFinding(t, r, "settings", Advice, "it runs without nio.numWorkerThreads=0")
	requireNothingLeft(t, s, "/shop")

	// Without the words that only tell it, the rest says so.
	cfg.ZooCfg = ""
	r = looked(t, cfg, "disk", "settings")
	requireFinding(t, r, "disk", Unknown, "whether it removes old snapshots and log files could not be looked at: no four-letter word tells")
	requireFinding(t, r, "settings", Unknown, "which settings it runs with could not be looked at")
}

// TestAServerThatTellsNothing says of each check that it could not look. ZooKeeper adds
// srvr to whatever list there is.
func TestAServerThatTellsNothing(t *testing.T) {
	t.Parallel()
	s := zktest.Start(t, zktest.WithProperty("4lw.commands.whitelist", "ruok"))
	r := looked(t, configOf("/zkine", s.Addr()))
	requireFinding(t, r, "words", Advice, "it does not take mntr, conf, envi")
	for check, text := range map[string]string{
		"fsync": "does not answer mntr: it is not on the server's 4lw.commands.whitelist",
		"heap":  "does not answer envi", "connections": "does not answer conf", "disk": "no four-letter word tells",
	} {
		requireFinding(t, r, check, Unknown, text)
	}
	requireFinding(t, r, "servers", OK, "it serves as standalone")
	require.False(t, r.Blind)
}

// TestNoServer is blind, and says so soon.
func TestNoServer(t *testing.T) {
	t.Parallel()
	cfg := configOf("/zkine", "127.0.0.1:1", zktest.Hung(t))
	cfg.DialTimeout = 500 * time.Millisecond
	r := looked(t, cfg)
	require.True(t, r.Blind)
	requireFinding(t, r, "servers", Problem, "127.0.0.1:1: it gives no session")
	requireFinding(t, r, "quorum", Unknown, "there is no session with ZooKeeper")
	requireFinding(t, r, "root", Unknown, "there is no session")
	requireFinding(t, r, "members", Unknown, "name some with --endpoints")
}

// TestAnEnsembleWithAnObserver also gives local sessions, loses its quorum, and becomes
// read-only.
func TestAnEnsembleWithAnObserver(t *testing.T) {
	t.Parallel()
	e := zktest.StartEnsembleAt(t, []zktest.Place{{}, {}, {Observer: true}}, allWords(),
		zktest.WithProperty("localSessionsEnabled", "true"), zktest.WithProperty("localSessionsUpgradingEnabled", "true"),
		zktest.WithJVMFlag("-Dreadonlymode.enabled=true"))
	r := looked(t, configOf("/zkine", e.Addrs()...), "versions", "servers", "ensemble", "local-sessions", "quorum", "request")
	requireFinding(t, r, "servers", Advice, e.Servers[2].Addr()+": it is an observer")
	requireFinding(t, r, "servers", OK, "it serves as leader")
	requireFinding(t, r, "ensemble", Advice, "2 servers vote")
	for _, s := range e.Servers {
		requireFinding(t, r, "local-sessions", Problem, s.Addr()+": it gives local sessions")
	}
	requireOnly(t, r, "request", OK)
	r = looked(t, configOf("/zkine", e.Servers[0].Addr()), "ensemble")
	requireFinding(t, r, "ensemble", Advice, "the list leaves server 2 out")

	left, gone := e.Servers[0], e.Servers[1]
	gone.Kill()
	require.Eventually(t, func() bool { return left.Mode() == "read-only" }, 30*time.Second, 50*time.Millisecond)
	cfg := configOf("/zkine", left.Addr(), gone.Addr())
	cfg.DialTimeout = time.Second
	r = looked(t, cfg, "servers", "quorum")
	requireFinding(t, r, "servers", Problem, left.Addr()+": it is read-only")
	requireFinding(t, r, "servers", Problem, gone.Addr()+": it gives no session")
	requireFinding(t, r, "quorum", Unknown, "there is no session")
	require.False(t, r.Blind)
}

// TestACLs has a root that is open to more than its list says.
func TestACLs(t *testing.T) {
	t.Parallel()
	s := zktest.Shared(t)
	root := zktest.Root(t)
	makeRoot(t, s, root)
	open := configOf(root, s.Addr())
	r := looked(t, open, "acl", "root")
	requireOnly(t, r, "acl", OK)
	requireFinding(t, r, "root", OK, "cluster ")

	closed := configOf(root, s.Addr())
	closed.Ensemble.Credentials = func() []identity.Credential {
		return []identity.Credential{{Scheme: "digest", Secret: []byte("zkine:secret")}}
	}
	closed.ACL = zk.AuthACL(zk.PermAll)
	closed.Ensemble.ACL = closed.ACL
	r = looked(t, closed, "acl")
	requireFinding(t, r, "acl", Problem, "znodes that were looked at are open to more than --zookeeper-acl says")

	anonymous := configOf(root, s.Addr())
	anonymous.ACL = zk.DigestACL(zk.PermAll, "another", "secret")
	r = looked(t, anonymous, "acl")
	requireFinding(t, r, "acl", Problem, "locks this zkine out")
	requireNothingLeft(t, s, root)
}

// TestTLS tells of the certificates of tests, which last for a day, and of the port
// without TLS beside it.
func TestTLS(t *testing.T) {
	t.Parallel()
	authority := zktest.NewAuthority(t)
	s := zktest.Start(t, zktest.WithTLS(t, authority), allWords())
	issued := zktest.Issue(t, authority, nameOf("zkine"))
	cfg := configOf("/zkine", s.SecureAddr())
	var err error
	cfg.Ensemble.TLS, err = identity.NewTLS(identity.Files{CertFile: issued.CertFile, KeyFile: issued.KeyFile, TrustedCAFile: authority.CertFile()}, cfg.Ensemble.Log)
	require.NoError(t, err)
	require.Eventually(t, func() bool { // the first handshake of a JVM may take longer than a word is waited for
		_, err := cfg.Ensemble.Found(t.Context())[0].Ask(t.Context(), "srvr")
		return err == nil
	}, 60*time.Second, 10*time.Millisecond)
	r := looked(t, cfg, "tls", "servers", "versions", "request")
	requireFinding(t, r, "tls", Problem, "its certificate ends in 24h0m0s")
	requireFinding(t, r, "tls", Advice, "beside TLS it also serves without, at port ")
	requireOnly(t, r, "servers", OK)
	requireOnly(t, r, "request", OK)
}

// TestAKilledDoctorLeavesNothing has the scratch znode go with its session.
func TestAKilledDoctorLeavesNothing(t *testing.T) {
	t.Parallel()
	s := zktest.Start(t)
	proxy := zktest.NewProxy(t, s.Addr())
	cfg := configOf("/zkine", proxy.Addr())
	cfg.Ensemble.Timeout = 4 * time.Second // a busy machine may be silent for a while
	p := &patient{cfg: cfg, rootErr: os.ErrNotExist}
	conn, err := cfg.Ensemble.Dial(t.Context())
	require.NoError(t, err)
	at, _, err := p.scratch(t.Context(), conn)
	require.NoError(t, err)
	proxy.Freeze(zktest.ToServer)
	other, err := configOf("/zkine", s.Addr()).Ensemble.Dial(t.Context())
	require.NoError(t, err)
	defer other.Close()
	require.Eventually(t, func() bool {
		_, err := other.Exists(t.Context(), at)
		return errors.Is(err, zk.ErrNoNode)
	}, 30*time.Second, 20*time.Millisecond)
	go conn.Close()
}

// TestAPlainURLOfAMemberWithTLS is told as what it is: gRPC waits, and does not say why.
func TestAPlainURLOfAMemberWithTLS(t *testing.T) {
	t.Parallel()
	secured := httptest.NewTLSServer(http.NotFoundHandler())
	defer secured.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	cfg := configOf("/zkine")
	cfg.Ensemble = nil
	cfg.Endpoints = []string{"http://" + secured.Listener.Addr().String(), plain.URL}
	r := looked(t, cfg, "members")
	require.True(t, r.Blind)
	requireFinding(t, r, "members", Problem, cfg.Endpoints[0]+": it speaks TLS, and its URL is one without")
	requireFinding(t, r, "members", Problem, cfg.Endpoints[1]+": no zkine is to be asked")
}

// TestAMistypedRoot is not taken for the place of a new cluster.
func TestAMistypedRoot(t *testing.T) {
	t.Parallel()
	s := zktest.Start(t)
	makeRoot(t, s, "/shop/zkine")
	requireFinding(t, looked(t, configOf("/shop/zkin", s.Addr()), "root"), "root", Advice, "there is no cluster under /shop/zkin yet, and there is one under /shop/zkine")
	for root, why := range map[string]string{"/shop": `/shop has no format but holds ["zkine"]`, "/shop/zkine/log/x": "would lie within the root /shop/zkine of another zkine"} {
		r := looked(t, configOf(root, s.Addr()), "root", "housekeeping")
		requireFinding(t, r, "root", Problem, why)
		requireFinding(t, r, "housekeeping", Unknown, why)
	}
}
