package top

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

func TestMain(m *testing.M) { zktest.Main(m) }

// counts is what the JSON has of a prefix or a client, as a user's program would read it.
type counts struct {
	Writes       float64 `json:"writes"`
	Reads        float64 `json:"reads"`
	Events       float64 `json:"events"`
	BytesWritten float64 `json:"bytes_written"`
	BytesRead    float64 `json:"bytes_read"`
	BytesWatched float64 `json:"bytes_watched"`
	Errors       float64 `json:"errors"`
}

type activity struct {
	counts
	Watchers int    `json:"watchers"`
	Total    counts `json:"total"`
}

type prefix struct {
	Prefix, Resource, Namespace string
	activity
}

type snapshot struct {
	Usage struct {
		Interval float64  `json:"interval_seconds"`
		All      activity `json:"all"`
		Prefixes []prefix
		Clients  []struct {
			Address, User, Certificate string
			UserAgent                  string `json:"user_agent"`
			activity
		}
	}
	Members []struct {
		Name     string
		ID       uint64
		Endpoint string
		Error    string
		Revision int64
		Lag      int64 `json:"lag_revisions"`
		Resident int64 `json:"resident_bytes"`
		Keeper   uint64
	}
	Ensemble []struct {
		Address, Mode, Version, Error string
		Answered                      float64 `json:"answered_ms"`
	}
}

func prefixOf(t *testing.T, s snapshot, name string) prefix {
	t.Helper()
	at := slices.IndexFunc(s.Usage.Prefixes, func(p prefix) bool { return p.Prefix == name })
	require.GreaterOrEqual(t, at, 0, "%s is not listed", name)
	return s.Usage.Prefixes[at]
}

func connect(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: patience})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

// top runs zkine top, and returns what it printed.
func top(t *testing.T, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errors bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append([]string{"top"}, args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), "NO_COLOR=1"), &out, &errors
	_ = cmd.Run() // the exit code says it
	return out.String(), errors.String(), cmd.ProcessState.ExitCode()
}

func snapshotOf(t *testing.T, program string, args ...string) (s snapshot) {
	t.Helper()
	// A member has a seventh of the time to answer in.
	out, errors, code := top(t, program, append([]string{"--once", "-o", "json", "--interval=60s", "--dial-timeout=30s"}, args...)...)
	require.Zero(t, code, errors)
	require.NoError(t, json.Unmarshal([]byte(out), &s))
	return s
}

// TestOnce compares with a known load: what is counted is what was done, in all and as rates.
func TestOnce(t *testing.T) {
	const puts, gets, watchers, bytes = 200, 50, 3, 1000
	z := rigtest.Start(t)
	client, ctx := connect(t, z.Endpoint), t.Context()
	var events []clientv3.WatchChan
	for range watchers {
		events = append(events, client.Watch(ctx, "/registry/pods/", clientv3.WithPrefix(), clientv3.WithCreatedNotify()))
		<-events[len(events)-1]
	}
	for i := range puts {
		key := fmt.Sprintf("/registry/pods/shop/web-%03d", i%10)
		_, err := client.Put(ctx, key, strings.Repeat("x", bytes-len(key)))
		require.NoError(t, err)
	}
	for i := range gets {
		_, err := client.Get(ctx, fmt.Sprintf("/registry/pods/shop/web-%03d", i%10))
		require.NoError(t, err)
	}
	for _, w := range events {
		for seen := 0; seen < puts; {
			r := <-w
			seen += len(r.Events)
		}
	}
	// What was counted just now is in the rates a moment later.
	var s snapshot
	var keys, watched prefix
	for deadline := time.Now().Add(patience); ; {
		s = snapshotOf(t, rigtest.Program(t), "--endpoints=http://"+z.Endpoint)
		keys, watched = prefixOf(t, s, "/registry/pods/shop/"), prefixOf(t, s, "/registry/pods/")
		over := s.Usage.Interval
		if keys.Writes*over > puts-0.5 && keys.Reads*over > gets-0.5 && watched.Events*over > watchers*puts-0.5 {
			break
		}
		require.True(t, time.Now().Before(deadline), "the rates are not those of %+v and %+v", keys, watched)
	}
	require.Equal(t, []string{"pods", "shop"}, []string{keys.Resource, keys.Namespace})
	require.Equal(t, []string{"pods", ""}, []string{watched.Resource, watched.Namespace})
	require.Equal(t, counts{Writes: puts, Reads: gets, BytesWritten: puts * bytes, BytesRead: gets * bytes}, keys.Total)
	require.Equal(t, counts{Events: watchers * puts, BytesWatched: watchers * puts * bytes}, watched.Total)
	require.Equal(t, watchers, watched.Watchers)
	// All of it was within the last minute: the rates are the same numbers.
	for _, of := range []activity{keys.activity, watched.activity} {
		for _, pair := range [][2]float64{
			{of.Writes, of.Total.Writes}, {of.Reads, of.Total.Reads}, {of.Events, of.Total.Events},
			{of.BytesWritten, of.Total.BytesWritten}, {of.BytesRead, of.Total.BytesRead}, {of.BytesWatched, of.Total.BytesWatched},
		} {
			require.InDelta(t, pair[1], pair[0]*s.Usage.Interval, 0.001)
		}
	}
	writers := 0
	for _, c := range s.Usage.Clients {
		if c.Total.Writes > 0 {
			writers++
			require.Equal(t, "127.0.0.1", c.Address)
			require.Equal(t, float64(puts), c.Total.Writes)
			require.Equal(t, watchers, c.Watchers)
			require.True(t, strings.HasPrefix(c.UserAgent, "grpc-go/"), c.UserAgent)
		}
	}
	require.Equal(t, 1, writers)
	require.Len(t, s.Members, 1)
	m := s.Members[0]
	require.Equal(t, []any{z.Name, m.ID, "", int64(puts + 1)}, []any{m.Name, m.Keeper, m.Error, m.Revision})
	require.Greater(t, m.Resident, int64(1<<20))
	require.Len(t, s.Ensemble, 1)
	require.Equal(t, []string{"standalone", ""}, []string{s.Ensemble[0].Mode, s.Ensemble[0].Error})
	require.True(t, strings.HasPrefix(s.Ensemble[0].Version, "3."), s.Ensemble[0].Version)
	require.Positive(t, s.Ensemble[0].Answered)

	text, _, code := top(t, rigtest.Program(t), "--once", "--endpoints="+z.Endpoint)
	require.Zero(t, code)
	for _, part := range []string{"1 member", z.Name + " *", "shop/pods", "standalone", "127.0.0.1 grpc-go/"} {
		require.Contains(t, text, part)
	}
	require.NotContains(t, text, "\x1b")
}

// TestAllMembers asks one of two members: both are in the sums. One that is stopped says so until it is off the list.
func TestAllMembers(t *testing.T) {
	zookeeper, root := zktest.Shared(t).Addr(), zktest.Root(t)
	one, two := rigtest.StartOn(t, zookeeper, root), rigtest.StartOn(t, zookeeper, root)
	ctx := t.Context()
	for n, z := range []*rigtest.Zkine{one, two} {
		client := connect(t, z.Endpoint)
		for range 10 * (n + 1) {
			_, err := client.Put(ctx, "/registry/secrets/shop/s", "x")
			require.NoError(t, err)
		}
	}
	s := snapshotOf(t, rigtest.Program(t), "--endpoints="+one.Endpoint)
	require.Len(t, s.Members, 2)
	require.Equal(t, []string{"", ""}, []string{s.Members[0].Error, s.Members[1].Error})
	require.Equal(t, 30.0, prefixOf(t, s, "/registry/secrets/shop/").Total.Writes)
	// Named twice, a member counts once.
	s = snapshotOf(t, rigtest.Program(t), "--endpoints="+one.Endpoint+","+two.Endpoint+",localhost:"+one.Endpoint[strings.LastIndex(one.Endpoint, ":")+1:])
	require.Len(t, s.Members, 2)
	require.Equal(t, 30.0, prefixOf(t, s, "/registry/secrets/shop/").Total.Writes)
	// One that does not answer leaves time to the others, and to the ensemble.
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer mute.Close()
	s = snapshotOf(t, rigtest.Program(t), "--endpoints="+one.Endpoint+","+mute.Addr().String())
	require.Len(t, s.Members, 3)
	require.Equal(t, 30.0, prefixOf(t, s, "/registry/secrets/shop/").Total.Writes)
	require.Len(t, s.Ensemble, 1)
	require.Empty(t, s.Ensemble[0].Error)
	two.Kill()
	s = snapshotOf(t, rigtest.Program(t), "--endpoints="+one.Endpoint+","+two.Endpoint)
	errors := ""
	for _, m := range s.Members {
		errors += m.Error
	}
	require.Len(t, s.Members, 2, "one that is gone counts once")
	require.Contains(t, errors, "connection refused")
	require.Equal(t, 10.0, prefixOf(t, s, "/registry/secrets/shop/").Total.Writes)
}

// TestUsers has users count: root alone may ask.
func TestUsers(t *testing.T) {
	z := rigtest.Start(t, "--bcrypt-cost=4")
	client, ctx := connect(t, z.Endpoint), t.Context()
	for _, user := range []string{"root", "alice"} {
		_, err := client.UserAdd(ctx, user, "secret-"+user)
		require.NoError(t, err)
	}
	_, err := client.UserGrantRole(ctx, "root", "root")
	require.NoError(t, err)
	_, err = client.AuthEnable(ctx)
	require.NoError(t, err)
	args := []string{"--once", "-o", "json", "--endpoints=" + z.Endpoint}
	for _, user := range []string{"", "--user=alice:secret-alice"} {
		out, errors, code := top(t, rigtest.Program(t), append(args, strings.Fields(user)...)...)
		require.Equal(t, 1, code)
		require.Empty(t, out)
		require.Contains(t, errors, "root alone may ask")
		require.NotContains(t, errors, "secret")
	}
	s := snapshotOf(t, rigtest.Program(t), append(args, "--user=root:secret-root")...)
	require.Len(t, s.Members, 1)
	users := ""
	for _, c := range s.Usage.Clients {
		users += " " + c.User
	}
	require.Contains(t, users, "root")
	require.Contains(t, users, "alice")
}

// TestBadCommandLines get one line that says what to do.
func TestBadCommandLines(t *testing.T) {
	program := rigtest.Program(t)
	for want, args := range map[string][]string{
		"needs a terminal":        {"--endpoints=127.0.0.1:1"},
		"connection refused":      {"--once", "--endpoints=127.0.0.1:1"},
		"out of bounds":           {"--once", "--interval=1ms"},
		"goes with --once":        {"-o", "json"},
		`"xml" is not known`:      {"--once", "-o", "xml"},
		"belongs to no flag":      {"now"},
		"a password needs a user": {"--once", "--password=x"},
	} {
		out, errors, code := top(t, program, args...)
		require.NotZero(t, code, args)
		require.Empty(t, out)
		require.Contains(t, errors, want)
		require.Equal(t, 1, strings.Count(errors, "\n"), errors)
	}
}
