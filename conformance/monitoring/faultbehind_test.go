package monitoring

import (
	"bufio"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zkclient/fourletter"
	"github.com/zkine/zkine/revision/zktest"
)

// TestAWatchIsStuck has a client that opens a watch and reads nothing.
func TestAWatchIsStuck(t *testing.T) {
	w := newWorld(t, zktest.Shared(t).Addr(), 1)
	w.minutes(10, w.work)
	w.hasBeenQuiet()
	conn, err := rig.Dial(w.zkines[0].Endpoint)
	require.NoError(t, err)
	defer conn.Close()
	stream, err := pb.NewWatchClient(conn).Watch(t.Context())
	require.NoError(t, err)
	require.NoError(t, stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
		CreateRequest: &pb.WatchCreateRequest{Key: []byte("large-"), RangeEnd: []byte("large.")}}}))
	_, err = stream.Recv()
	require.NoError(t, err)
	for i := range 16 {
		_, err := w.clients[0].Put(within(t), fmt.Sprint("large-", i), randomText(1<<20))
		require.NoError(t, err)
	}
	lag := func() float64 { return scrape(t, w.zkines[0].Metrics).Samples["zkine_watch_lag_seconds{}"] }
	require.Eventually(t, func() bool { return lag() > 10.5 }, patience, 100*time.Millisecond)
	w.minutes(7, w.work)
	w.fires([]string{"ZkineWatchIsStuck"}, nil)
}

// TestTheStateIsBehind has answers come to one of two zkines three seconds late, while the other one writes: it hears of slots,
// and waits for what is in them. The values are larger than what comes along with the news.
func TestTheStateIsBehind(t *testing.T) {
	needsAll(t)
	w := newWorld(t, zktest.Shared(t).Addr(), 1)
	proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
	late := rigtest.StartOn(t, proxy.Addr(), w.root, "--zookeeper-session-timeout=20s")
	w.recorder.targets = append(w.recorder.targets, Target{job, "late", late.Metrics})
	w.minutes(10, w.work)
	w.hasBeenQuiet()
	writing, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		pace := time.NewTicker(50 * time.Millisecond)
		defer pace.Stop()
		for writing.Err() == nil {
			w.clients[0].Put(writing, "large", randomText(16<<10)) //nolint:errcheck // the lag is what is asked for
			<-pace.C
		}
	})
	defer writer.Wait()
	defer stop()
	proxy.Delay(zktest.ToClient, 3*time.Second)
	w.minutes(5, func(ctx context.Context) {
		require.Eventually(t, func() bool {
			s, err := Get(ctx, late.Metrics)
			return err == nil && s.Samples["zkine_apply_lag_seconds{}"] > 2.1
		}, patience, 20*time.Millisecond)
	})
	w.amongThem([]string{"ZkineIsBehind"}, nil)
	proxy.Delay(zktest.ToClient, 0)
}

// TestMembersDisagree changes a value in the memory of one of two zkines, and has their states compared.
func TestMembersDisagree(t *testing.T) {
	w := newWorld(t, zktest.Shared(t).Addr(), 2, "--log-segment-slots=20", "--checkpoint-log-bytes=1")
	secret := randomText(48)
	_, err := w.clients[0].Put(within(t), "victim", secret)
	require.NoError(t, err)
	w.minutes(10, w.work)
	w.hasBeenQuiet()
	require.Positive(t, overwrite(t, w.zkines[1].Pid(), secret, strings.Repeat("x", len(secret))))
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		w.clients[0].Defragment(ctx, w.zkines[0].Endpoint) //nolint:errcheck // it is not confirmed
		return scrape(t, w.zkines[0].Metrics).Samples["zkine_members_disagree{}"] == 1
	}, patience, 10*time.Millisecond)
	w.minutes(2, nil)
	w.amongThem([]string{"ZkineMembersDisagree"}, nil)
	// Nothing is trimmed while they disagree, which is housekeeping that fails.
	w.minutes(45, func(ctx context.Context) {
		for range 3 {
			w.work(ctx)
		}
	})
	w.amongThem([]string{"ZkineHousekeepingFails", "ZkineMembersDisagree"}, nil)
}

// overwrite replaces a text wherever it is in a process's memory, and says how often it was there.
func overwrite(t *testing.T, pid int, old, with string) (found int) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	require.NoError(t, err)
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	require.NoError(t, err)
	defer memory.Close()
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var rights string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &rights); err != nil || rights[:2] != "rw" || to-from > 1<<30 {
			continue
		}
		bytes := make([]byte, to-from)
		n, _ := memory.ReadAt(bytes, from)
		for at := 0; ; at++ {
			next := strings.Index(string(bytes[at:n]), old)
			if next < 0 {
				break
			}
			at += next
			_, err := memory.WriteAt([]byte(with), from+int64(at))
			require.NoError(t, err)
			found++
		}
	}
	return found
}

// TestTheArchiveFails puts a file where the archive's folder was; then a zkine that does not archive makes a hole in it.
func TestTheArchiveFails(t *testing.T) {
	needsAll(t)
	folder := filepath.Join(t.TempDir(), "archive")
	w := newWorld(t, zktest.Shared(t).Addr(), 1, "--archive=file://"+folder, "--archive-interval=1s", "--archive-trim-wait=1s", "--log-segment-slots=20", "--checkpoint-log-bytes=1")
	w.minutes(10, w.work)
	w.hasBeenQuiet()
	require.NoError(t, os.Rename(folder, folder+".away"))
	require.NoError(t, os.WriteFile(folder, nil, 0o600))
	failures := func() float64 { return scrape(t, w.zkines[0].Metrics).Samples["zkine_archive_failures_total{}"] }
	before := failures()
	w.minutes(14, func(ctx context.Context) {
		w.work(ctx)
		require.Eventually(t, func() bool { return failures() > before }, patience, 10*time.Millisecond)
		before = failures()
	})
	w.amongThem([]string{"ZkineArchiveFails"}, nil)
	for range 60 {
		w.work(within(t))
	}
	for range 2 { // so that the log before is gone
		_, err := w.clients[0].Defragment(within(t), w.zkines[0].Endpoint)
		require.NoError(t, err)
	}
	require.NoError(t, os.Remove(folder))
	require.NoError(t, os.Rename(folder+".away", folder))
	require.Eventually(t, func() bool {
		w.work(within(t))
		return scrape(t, w.zkines[0].Metrics).Samples["zkine_archive_holes_total{}"] > 0
	}, patience, 100*time.Millisecond)
	w.minutes(30, w.work)
	require.NoError(t, w.promtool.Evaluates(t.Context(), w.own, w.recorder, w.recorder.Now(),
		`group by (alertname) (ALERTS{alertname=~"ZkineArchive.*",alertstate="firing"})`, alertSamples([]string{"ZkineArchiveHasAHole"})))
}

// TestACertificateEnds serves metrics with a certificate that ends in three days, and in a month.
func TestACertificateEnds(t *testing.T) {
	needsAll(t)
	authority := zktest.NewAuthority(t)
	show := func(lasts time.Duration) *world {
		issued, err := authority.IssueAs(&x509.Certificate{
			Subject: pkix.Name{CommonName: "zkine"}, NotAfter: time.Now().Add(lasts), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		})
		require.NoError(t, err)
		address, err := rig.FreeAddress("127.0.0.1")
		require.NoError(t, err)
		w := newWorld(t, zktest.Shared(t).Addr(), 1, "--listen-client-http-urls=https://"+address, "--cert-file="+issued.CertFile, "--key-file="+issued.KeyFile)
		w.minutes(15, w.work)
		require.Contains(t, scrape(t, w.zkines[0].Metrics).Samples, `zkine_certificate_expiry_timestamp_seconds{use="server"}`)
		return w
	}
	show(30 * 24 * time.Hour).hasBeenQuiet()
	show(3*24*time.Hour).fires([]string{"ZkineCertificateEnds"}, nil)
}

// TestConnectionsRunOut has nearly as many idle connections on the metrics URL as there may be.
func TestConnectionsRunOut(t *testing.T) {
	w := newWorld(t, zktest.Shared(t).Addr(), 1)
	w.minutes(10, w.work)
	w.hasBeenQuiet()
	w.minutes(8, func(ctx context.Context) {
		now := scrape(t, w.zkines[0].Metrics).Samples
		for range int(0.97*now[`zkine_connections_max{urls="metrics"}`] - now[`zkine_connections{urls="metrics"}`]) {
			idle(t, w.zkines[0].Metrics)
		}
		w.work(ctx)
	})
	w.fires([]string{"ZkineConnectionsRunOut"}, nil)
}

// idle opens a connection and asks for something: one that says nothing would be ended after a few seconds.
func idle(t *testing.T, address string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = fmt.Fprintf(conn, "GET /livez HTTP/1.1\r\nHost: %s\r\n\r\n", address)
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
}

// TestAZooKeeperServerIsDown scrapes a ZooKeeper by an exporter, which Debian's needs: its own metrics are left out of the
// package. Then the server ends; another one serves the zkine.
func TestAZooKeeperServerIsDown(t *testing.T) {
	needsAll(t)
	server := zktest.Start(t)
	exporter := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		text, err := fourletter.Ask(r.Context(), server.Addr(), "mntr")
		if err != nil {
			http.Error(out, err.Error(), http.StatusServiceUnavailable)
			return
		}
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if _, err := strconv.ParseFloat(value, 64); err == nil {
				fmt.Fprintln(out, name, value)
			}
		}
	}))
	defer exporter.Close()
	w := newWorld(t, zktest.Shared(t).Addr(), 1)
	w.recorder.targets = append(w.recorder.targets, Target{"zookeeper", "zookeeper-1", strings.TrimPrefix(exporter.URL, "http://")})
	w.minutes(10, w.work)
	w.hasBeenQuiet()
	server.Kill()
	w.minutes(8, w.work)
	w.fires([]string{"ZooKeeperServerIsDown"}, nil)
}
