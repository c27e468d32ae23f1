package server

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/zktest"
)

const (
	// outageKnown is how soon an outage must be known: a second, and another one
	// for a loaded machine.
	outageKnown = 2 * time.Second
	// probeAnswered is how long a probe may take at most, in the same way.
	probeAnswered = 2 * time.Second
)

// lookout asks a member again and again, in each of the ways in which that
// tells whether it serves.
type lookout struct {
	mu      sync.Mutex
	says    map[string]bool      // the last answers
	since   map[string]time.Time // when they last changed
	longest map[string]time.Duration
	changed chan struct{}
	waits   *zktest.Waits
}

func watchOver(t *testing.T, m *member) *lookout {
	o := &lookout{
		says: map[string]bool{}, since: map[string]time.Time{}, longest: map[string]time.Duration{}, changed: make(chan struct{}, 1),
		waits: zktest.MeasureWaits(t),
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	for name, ask := range o.ways(t, m) {
		wg.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				o.note(name, ask(), time.Since(began))
				time.Sleep(10 * time.Millisecond) // between two questions
			}
		})
	}
	return o
}

func (o *lookout) ways(t *testing.T, m *member) map[string]func() bool {
	get := func(path string) (int, string) {
		resp, err := http.Get(m.web + path)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		var text strings.Builder
		_ = resp.Write(&text)
		return resp.StatusCode, text.String()
	}
	strict := withLeader(context.Background())
	return map[string]func() bool{
		"/readyz": func() bool { code, _ := get("/readyz"); return code == 200 },
		"/health": func() bool { code, _ := get("/health"); return code == 200 },
		"has_leader": func() bool {
			_, text := get("/metrics")
			return strings.Contains(text, "\netcd_server_has_leader 1\n")
		},
		"gRPC health": func() bool {
			r, err := healthpb.NewHealthClient(m.conn).Check(context.Background(), &healthpb.HealthCheckRequest{})
			return err == nil && r.Status == healthpb.HealthCheckResponse_SERVING
		},
		"Status.leader": func() bool {
			r, err := pb.NewMaintenanceClient(m.conn).Status(context.Background(), &pb.StatusRequest{})
			return err == nil && r.Leader != 0
		},
		"hasleader": func() bool {
			_, err := m.kv.Range(strict, &pb.RangeRequest{Key: []byte("k"), Serializable: true})
			return err == nil
		},
		"log": func() bool {
			entries := m.log.AllEntries()
			for _, e := range slices.Backward(entries) {
				if e.Message == "ready to serve" || e.Message == "not ready to serve" {
					return e.Message == "ready to serve"
				}
			}
			// The first time whoever started the server says so.
			select {
			case <-m.server.Serves():
				return true
			default:
				return false
			}
		},
	}
}

// answers are the longest that were waited for, by name.
func (o *lookout) answers() map[string]time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.longest)
}

// forgive takes the longest answers back to what they were.
func (o *lookout) forgive(before map[string]time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.longest = before
}

func (o *lookout) note(name string, serves bool, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.longest[name] = max(o.longest[name], took)
	if was, known := o.says[name]; !known || was != serves {
		o.says[name], o.since[name] = serves, time.Now()
		select {
		case o.changed <- struct{}{}:
		default:
		}
	}
}

// all waits until all say the same, and returns when the first and the last of
// them came to it.
func (o *lookout) all(t *testing.T, serves bool) (first, last time.Time) {
	t.Helper()
	timeout := time.After(2 * soon)
	for {
		o.mu.Lock()
		agreed := len(o.says) == 7
		for _, says := range o.says {
			agreed = agreed && says == serves
		}
		times := slices.SortedFunc(maps.Values(o.since), time.Time.Compare)
		text := o.text()
		o.mu.Unlock()
		if agreed {
			return times[0], times[len(times)-1]
		}
		select {
		case <-o.changed:
		case <-timeout:
			t.Fatalf("not all say %v: %v", serves, text)
		}
	}
}

func (o *lookout) text() map[string]bool { return maps.Clone(o.says) }

// An outage is told by everything that tells of it, within a second, and its
// end by all of them at once. No probe hangs meanwhile. Nobody writes, and no
// leases keep the clock going: the member is idle.
func TestOutageIsToldInTime(t *testing.T) {
	server := zktest.Start(t)
	z := dialing(server.Addr())
	z.Timeout = 10 * time.Second // the default
	m := startMemberOn(t, z, "one", backend.Config{})
	require.NoError(t, m.put(ctxFor(t), "k"))
	o := watchOver(t, m)
	o.all(t, true)
	for _, of := range []outage{
		{"frozen", server.Pause, server.Resume},
		{"killed", server.Kill, server.Restart},
		{"frozen for longer than a session", func() {
			server.Pause()
			require.Eventually(t, func() bool { return m.spy.Connected() != nil }, 2*soon, time.Millisecond)
		}, server.Resume},
	} {
		o.requireInTime(t, of)
	}
}

// outage is one of ZooKeeper's, with what makes and ends it.
type outage struct {
	name       string
	begin, end func()
}

// requireInTime has an outage and its end told in time, and probes answered. A busy
// machine may take the time: what is too slow is tried again.
func (o *lookout) requireInTime(t *testing.T, of outage) {
	t.Helper()
	require.True(t, slices.ContainsFunc([]int{1, 2, 3}, func(take int) bool {
		before := o.answers()
		began := time.Now()
		of.begin()
		_, last := o.all(t, false)
		known := o.waits.Between(began, last)
		of.end()
		first, last := o.all(t, true)
		ended := o.waits.Between(first, last)
		longest := o.answers()
		t.Logf("%s, take %d: known by all after %v, its end told by all within %v, longest answers %v", of.name, take,
			known.Round(time.Millisecond), ended.Round(time.Millisecond), longest)
		if known < outageKnown && ended < outageKnown && slices.Max(slices.Collect(maps.Values(longest))) < probeAnswered {
			return true
		}
		o.forgive(before)
		return false
	}), of.name)
}

// Of three servers two are killed. The third closes its connections once it has
// noticed, which takes ticks of its own.
func TestLostQuorumIsToldInTime(t *testing.T) {
	ensemble := zktest.StartEnsemble(t, 3)
	kept := ensemble.Leader()
	z := dialing(kept.Addr())
	z.Timeout = 10 * time.Second
	m := startMemberOn(t, z, "one", backend.Config{})
	require.NoError(t, m.put(ctxFor(t), "k"))
	o := watchOver(t, m)
	o.all(t, true)
	o.requireInTime(t, outage{"lost quorum", func() {
		for _, s := range ensemble.Servers {
			if s != kept {
				s.Kill()
			}
		}
	}, ensemble.Restart})
}
