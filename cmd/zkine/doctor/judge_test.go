package doctor

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/zkine/zkine/cmd/zkine/clienturl"
	"github.com/zkine/zkine/revision/zkclient"
)

func TestVersions(t *testing.T) {
	for version, level := range map[string]Level{
		"3.9.6": OK, "3.9.5": OK, "3.8.6": OK, "3.10.0": OK, "4.0.0": OK, "3.9.4": Problem, "3.9.0": Problem, "3.8.0": Problem, "3.8.4": Problem, "3.7.2": Problem, "3.4.14": Problem,
	} {
		require.Equal(t, level, judgeVersion("zk1:2181", version)[0].Level, version)
	}
}

func TestVersionsOfAnswers(t *testing.T) {
	for text, want := range map[string]string{
		"Zookeeper version: 3.9.6-${mvngit.commit.id}, built on 2026-10-16 16:58 UTC\nLatency min/avg/max: 0/0.0/0\nMode: standalone\n": "3.9.6",
		"Zookeeper version: 3.4.14-4c25d480e66aadd371de8bd2fd8da255ac140bcf, built on 03/06/2019 16:18 GMT\nMode: leader\n":             "3.4.14",
		"Zookeeper version: 3.8.0, built on 2022-02-25\n":                                                                               "3.8.0",
	} {
		s := &server{words: map[string]answer{"srvr": parseAnswer(text)}}
		require.Equal(t, want, s.version())
	}
	require.ErrorIs(t, parseAnswer("mntr is not executed because it is not in the whitelist.\n").err, errNotAllowed)
	require.ErrorIs(t, parseAnswer("This ZooKeeper instance is not currently serving requests\n").err, errNotServing)
	require.Error(t, parseAnswer("\n").err)
	a := parseAnswer("zk_version\t3.9.6\nzk_max_fsynctime\t17\nserver.2=zk2:2888:3888:observer;2181\n")
	require.Equal(t, "17", a.values["zk_max_fsynctime"])
	require.Equal(t, "zk2:2888:3888:observer;2181", a.values["server.2"])
}

// TestWrites has writes judged by half and by 99 of 100 of them, each by its own limits, and not by the slowest.
func TestWrites(t *testing.T) {
	const ms = time.Millisecond
	// all are n writes of which most take usual, and the slowest ones take slow.
	all := func(n int, usual time.Duration, slow ...time.Duration) []time.Duration {
		return append(slices.Repeat([]time.Duration{usual}, n-len(slow)), slow...)
	}
	for _, c := range []struct {
		writes []time.Duration
		level  Level
		told   string
	}{
		{all(300, 2*ms), OK, "300 writes one after the other: half within 2.0 ms, 99 of 100 within 2.0 ms, the slowest 2.0 ms; a read takes 1.0 ms"},
		{all(300, 2*ms, 90*ms, 800*ms, 900*ms), OK, "99 of 100 within 2.0 ms, the slowest 900.0 ms"},
		{all(300, 2*ms, 120*ms, 120*ms, 800*ms, 900*ms), Advice, "99 of 100 within 120.0 ms, the slowest 900.0 ms"},
		{all(300, 2*ms, 600*ms, 700*ms, 800*ms, 900*ms), Problem, "99 of 100 within 600.0 ms, the slowest 900.0 ms"},
		{all(100, 2*ms, 5000*ms), OK, "99 of 100 within 2.0 ms, the slowest 5000.0 ms"},
		{all(100, 2*ms, 100*ms, 5000*ms), Advice, "99 of 100 within 100.0 ms"},
		{all(300, 9*ms), OK, "half within 9.0 ms"},
		{all(300, 10*ms), Advice, "half within 10.0 ms"},
		{all(300, 50*ms), Problem, "half within 50.0 ms"},
		{all(40, 499*ms, 600*ms), Problem, "40 writes one after the other: half within 499.0 ms, the slowest 600.0 ms"},
		{all(5, 5*ms, 600*ms), OK, "5 writes one after the other: half within 5.0 ms, the slowest 600.0 ms"},
	} {
		f := judgeWrites(c.writes, ms)
		require.Equal(t, c.level, f.Level, f.What)
		require.Contains(t, f.What, c.told)
	}
	for _, c := range []struct {
		made int
		took time.Duration
		more bool
	}{
		{0, time.Hour, true}, {5, time.Hour, false}, {99, 19 * time.Second, true}, {99, 20 * time.Second, false},
		{100, 4 * time.Second, true}, {100, 5 * time.Second, false}, {299, time.Second, true}, {300, time.Second, false},
	} {
		require.Equal(t, c.more, moreWrites(c.made, c.took), "%d in %v", c.made, c.took)
	}
}

func TestFsyncs(t *testing.T) {
	require.Equal(t, Problem, judgeFsync("", fsyncs{0, 0, 30}).Level)
	require.Equal(t, OK, judgeFsync("", fsyncs{60, 60, 20}).Level)
	require.Equal(t, Advice, judgeFsync("", fsyncs{60, 720, 90}).Level)
	require.Equal(t, Problem, judgeFsync("", fsyncs{60, 4200, 900}).Level)
}

func TestClocks(t *testing.T) {
	require.Equal(t, OK, judgeClock("", time.Second, time.Millisecond).Level)
	require.Equal(t, OK, judgeClock("", -3*time.Second, 2*time.Second).Level, "it is not known that well")
	behind := judgeClock("", -5*time.Second, time.Millisecond)
	require.Equal(t, Advice, behind.Level)
	require.Equal(t, "its clock is 5s behind this machine's", behind.What)
	require.Equal(t, Problem, judgeClock("", 2*time.Minute, time.Millisecond).Level)
}

func TestZnodeQuotas(t *testing.T) {
	limits := parseQuota("count=-1,bytes=-1=;byteHardLimit=5000;countHardLimit=70")
	require.Equal(t, map[string]int64{"byteHardLimit": 5000, "countHardLimit": 70}, limits)
	require.Equal(t, map[string]int64{"count": 5, "bytes": 1000}, parseQuota("count=5,bytes=1000"))
	require.Empty(t, judgeQuota("/zkine", parseQuota("count=-1,bytes=-1"), nil, 1<<30))
	require.Len(t, judgeQuota("/zkine", limits, nil, 1<<30), 2)
	require.Equal(t, Advice, judgeQuota("/zkine", parseQuota("byteHardLimit=5000"), nil, 2000)[0].Level)
	require.Equal(t, Problem, judgeQuota("/zkine", parseQuota("byteHardLimit=5000"), map[string]int64{"bytes": 4900}, 2000)[0].Level)
	require.Equal(t, Problem, judgeQuota("/zkine", parseQuota("byteHardLimit=5000"), nil, -1)[0].Level)
	require.Equal(t, Advice, judgeQuota("/zkine", parseQuota("count=5,bytes=1000"), nil, 2000)[0].Level)
}

func TestHeaps(t *testing.T) {
	require.Equal(t, OK, judgeHeap("", 7<<30, 2<<30, 921600).Level)
	require.Equal(t, Problem, judgeHeap("", 1<<30, 2<<30, 921600).Level)
	require.Equal(t, Problem, judgeHeap("", 7<<30, -1, 921600).Level)
}

func TestHoards(t *testing.T) {
	require.True(t, hoards(30<<30, 100<<20))
	require.False(t, hoards(3<<30, 100<<20))
	require.False(t, hoards(30<<30, 1<<30))
	s := &server{words: map[string]answer{"conf": parseAnswer("dataDir=/a\ndataLogDir=/b\ndataDirSize=100\ndataLogSize=40000000000\n"), "mntr": parseAnswer("zk_approximate_data_size\t1000\n")}}
	require.Equal(t, Problem, (&patient{}).purge(s).Level)
}

func TestCertificatesEnd(t *testing.T) {
	now := time.Now()
	require.Equal(t, OK, judgeEnd("", now.Add(90*24*time.Hour), now).Level)
	require.Equal(t, Advice, judgeEnd("", now.Add(20*24*time.Hour), now).Level)
	require.Equal(t, Problem, judgeEnd("", now.Add(-time.Hour), now).Level)
}

func TestUsed(t *testing.T) {
	require.Equal(t, OK, judgeUsed("", 10, 100).Level)
	require.Equal(t, Advice, judgeUsed("", 80, 100).Level)
	require.Equal(t, Problem, judgeUsed("", 95, 100).Level)
	require.Equal(t, Advice, judgeUsed("", 95, -1).Level)
}

// TestAdminServers has settings and a clock told over HTTP, in the form that ZooKeeper
// 3.9.6 answers with; a server that is none is not believed.
func TestAdminServers(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/commands/system_properties", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		_, _ = w.Write([]byte(`{"java.version" : "17.0.15", "zookeeper.nio.numWorkerThreads" : "0", "command" : "system_properties", "error" : null}`))
	})
	mux.HandleFunc("/commands/initial_configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"initial_configuration" : null, "command" : "initial_configuration", "error" : null}`))
	})
	host, port := serve(t, mux)
	a := askAdmin(t.Context(), host, port)
	require.NoError(t, a.err)
	require.True(t, a.timed)
	require.InDelta(t, time.Hour, a.ahead, float64(5*time.Second))
	p, s := &patient{}, &server{admin: a}
	value, _, known := p.setting(s, "nio.numWorkerThreads")
	require.True(t, known)
	require.Equal(t, "0", value)
	value, _, known = p.setting(s, "commitProcessor.numWorkerThreads")
	require.True(t, known, "it is the default")
	require.Empty(t, value)
	_, _, known = p.setting(s, "autopurge.purgeInterval")
	require.False(t, known, "it is no property")

	host, port = serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"status":"up"}`)) }))
	require.ErrorContains(t, askAdmin(t.Context(), host, port).err, "no ZooKeeper's admin server")
	require.ErrorIs(t, askAdmin(t.Context(), host, 0).err, errNoAdmin)
}

func serve(t *testing.T, h http.Handler) (host string, port int) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	port, err = strconv.Atoi(u.Port())
	require.NoError(t, err)
	return u.Hostname(), port
}

// TestTheListAndTheEnsemble compares lists with what servers say of each other.
func TestTheListAndTheEnsemble(t *testing.T) {
	conf := func(id string) map[string]answer {
		return map[string]answer{"conf": parseAnswer("serverId=" + id + "\nserver.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2\nserver.3=c:1:2:participant\nserver.4=d:1:2:observer;2181\n")}
	}
	one, two, three := &server{words: conf("1")}, &server{words: conf("2")}, &server{words: conf("3")}
	p := &patient{servers: []*server{one, two, three}}
	require.Equal(t, OK, ensemble(t.Context(), p)[0].Level)
	p.servers = p.servers[:2]
	require.Contains(t, ensemble(t.Context(), p)[0].What, "the list leaves server 3 out")

	one.words["srvr"] = parseAnswer("Mode: leader\n")
	one.words["mntr"] = parseAnswer("zk_synced_followers\t1\n")
	found := p.leaders(3)
	require.Len(t, found, 1)
	require.Contains(t, found[0].What, "it leads 1 of 2 followers")
	two.words["srvr"] = parseAnswer("Mode: leader\n")
	require.Contains(t, p.leaders(3)[0].What, "2 servers say that they lead")
}

// TestServersThatDoNotServe has those that answer and are of no use.
func TestServersThatDoNotServe(t *testing.T) {
	none := &server{words: map[string]answer{"srvr": {err: errNotServing}}, sessionErr: errSlow}
	require.Contains(t, judgeServer(none).What, "sees no majority")
	mute := &server{words: map[string]answer{"srvr": parseAnswer("Mode: follower\n")}, sessionErr: errSlow}
	require.Contains(t, judgeServer(mute).What, "gives zkine no session")
}

// TestNoTLSOnANetwork matters where others are on the way.
func TestNoTLSOnANetwork(t *testing.T) {
	cfg := Config{Ensemble: &zkclient.Ensemble{Servers: []string{"192.0.2.1:2181"}}, Root: "/zkine"}
	p := &patient{cfg: cfg}
	for _, s := range cfg.Ensemble.Found(t.Context()) {
		p.servers = append(p.servers, &server{Server: s})
	}
	require.Len(t, p.servers, 1)
	require.Equal(t, Problem, encryption(t.Context(), p)[0].Level)
	require.Equal(t, Problem, access(t.Context(), p)[0].Level)
}

// TestEachCheckHasAName has names that --ignore can tell apart.
func TestEachCheckHasAName(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range checks {
		require.False(t, seen[c.name], c.name)
		require.NotEmpty(t, c.about)
		seen[c.name] = true
	}
}

func TestHousekeeping(t *testing.T) {
	require.Empty(t, judgeQuiet("/zkine", 1, time.Hour), "one alone compares with no other")
	require.Empty(t, judgeQuiet("/zkine", 2, 10*time.Minute))
	require.Equal(t, Problem, judgeQuiet("/zkine", 2, time.Hour)[0].Level)

	now := time.Now()
	require.Contains(t, judgeSince("/zkine", checkpointed{log: 1 << 20}, now)[0].What, "there is no checkpoint yet, of 1.0 MiB of log")
	fresh := judgeSince("/zkine", checkpointed{written: now.Add(-time.Hour), bytes: 100 << 20, log: 200 << 20, covered: 1}, now)
	require.Len(t, fresh, 1)
	require.Equal(t, OK, fresh[0].Level)
	require.Contains(t, fresh[0].What, "was written 1h0m0s ago; 200 MiB of log come after it")
	late := judgeSince("/zkine", checkpointed{written: now.Add(-time.Hour), bytes: 10 << 20, log: 200 << 20, covered: 9}, now)
	require.Equal(t, Problem, late[0].Level)
	require.Equal(t, Advice, late[1].Level)
}

// TestWords has conf left out, which tells paths, and more.
func TestWords(t *testing.T) {
	for _, c := range []struct {
		refused []string
		want    Level
	}{{nil, OK}, {[]string{"conf"}, OK}, {[]string{"envi"}, Advice}, {[]string{"srvr", "mntr"}, Problem}} {
		s := &server{words: map[string]answer{}}
		for _, word := range c.refused {
			s.words[word] = answer{err: errNotAllowed}
		}
		require.Equal(t, c.want, words(t.Context(), &patient{servers: []*server{s}})[0].Level, c.refused)
	}
}

// TestZkinesElsewhere are not called dead from another machine; what hangs here is.
func TestZkinesElsewhere(t *testing.T) {
	loopback := []string{"http://127.0.0.1:2379", "unix:///run/zkine.sock"}
	for _, c := range []struct {
		m    member
		want Level
	}{
		{member{id: 7, urls: loopback, err: io.EOF}, Unknown},
		{member{id: 7, urls: loopback, err: errAnother, reached: true}, Unknown},
		{member{id: 7, urls: loopback, err: io.EOF, reached: true}, Problem},
		{member{id: 7, urls: append(loopback, "http://10.0.0.1:2379"), err: io.EOF}, Problem},
		{member{urls: loopback, err: io.EOF}, Problem},
		{member{id: 7, urls: loopback, err: fmt.Errorf("%w: unknown authority", clienturl.ErrTLS)}, Unknown},
		{member{urls: loopback, err: fmt.Errorf("https://a: %w — check", rpctypes.ErrAuthFailed)}, Unknown},
	} {
		found := members(t.Context(), &patient{members: []*member{&c.m}})
		require.Len(t, found, 1)
		require.Equal(t, c.want, found[0].Level, "%+v", c.m)
		require.Equal(t, keptOut(c.m.err), strings.Contains(found[0].What, "does not let this doctor in"), found[0].What)
	}
}

// TestTheRecommendedSettings has nothing to say of what deploy recommends.
func TestTheRecommendedSettings(t *testing.T) {
	text, err := os.ReadFile("../../../deploy/zookeeper/zoo.cfg")
	require.NoError(t, err)
	p := &patient{cfg: Config{ZooCfg: string(text)}, servers: []*server{{}}}
	require.Equal(t, OK, worthHaving(t.Context(), p)[0].Level)
	require.Equal(t, OK, p.purge(p.servers[0]).Level)
}
