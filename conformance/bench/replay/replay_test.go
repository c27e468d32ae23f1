package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/bench/trace"
	"github.com/zkine/zkine/conformance/reference"
)

// recording is a small one: a start, a phase that is measured, and one that is not.
func recording() *trace.Trace {
	const pods, end = "/registry/pods/", "/registry/pods0"
	t := &trace.Trace{About: "a test's"}
	add := func(r trace.Request) int {
		r.At = time.Duration(len(t.Requests)) * 5 * time.Millisecond
		if r.Since == 0 {
			r.Since = trace.None
		}
		if r.Lease == 0 {
			r.Lease = trace.None
		}
		t.Requests = append(t.Requests, r)
		return len(t.Requests) - 1
	}
	add(trace.Request{Kind: trace.Status})
	list := add(trace.Request{Kind: trace.Range, Key: pods, End: end, Conn: 1})
	add(trace.Request{Kind: trace.Watch, Key: pods, End: end, Conn: 1, Since: list, PrevKV: true})
	add(trace.Request{Kind: trace.Watch, Key: pods, End: end, Conn: 1, Nth: 1})
	add(trace.Request{Kind: trace.Watch, Key: pods + "a", Conn: 2, Stream: 1})
	grant := add(trace.Request{Kind: trace.Grant, TTL: 3600, Conn: 2})
	add(trace.Request{Kind: trace.Phase, Key: "deploy"})
	for range 3 {
		add(trace.Request{Kind: trace.Create, Key: pods + "a", Size: 3000, Lease: grant, Conn: 1})
		add(trace.Request{Kind: trace.Create, Key: pods + "a", Size: 3000, Stale: true, Conn: 2})
		add(trace.Request{Kind: trace.Create, Key: pods + "b", Size: 1, ByVersion: true, Conn: 2})
		add(trace.Request{Kind: trace.Update, Key: pods + "a", Size: 3100, Conn: 1})
		add(trace.Request{Kind: trace.Update, Key: pods + "a", Size: 3100, Stale: true, Conn: 1})
		add(trace.Request{Kind: trace.Update, Key: pods + "b", ByVersion: true, Conn: 1})
		add(trace.Request{Kind: trace.Range, Key: pods + "b", Conn: 2})
		list = add(trace.Request{Kind: trace.Range, Key: pods, End: end, Limit: 1, Conn: 1})
		add(trace.Request{Kind: trace.Range, Key: pods + "a\x00", End: end, Limit: 1, Since: list, Conn: 1})
		add(trace.Request{Kind: trace.Stream, Key: pods, End: end, Conn: 2})
		add(trace.Request{Kind: trace.Progress, Conn: 1})
		add(trace.Request{Kind: trace.Delete, Key: pods + "a", Conn: 1})
		add(trace.Request{Kind: trace.Delete, Key: pods + "b", Conn: 1})
	}
	add(trace.Request{Kind: trace.Compact, Since: list})
	add(trace.Request{Kind: trace.Cancel, Conn: 1, Nth: 1})
	add(trace.Request{Kind: trace.Phase, Key: "later"})
	add(trace.Request{Kind: trace.Create, Key: pods + "never", Conn: 1})
	return t
}

// play replays a recording on an etcd, as Main does.
func play(t *testing.T, recorded *trace.Trace, endpoint string) (Result, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.gz")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, recorded.Encode(f))
	require.NoError(t, f.Close())
	in, err := json.Marshal(Job{
		File: path, Endpoints: []string{endpoint}, Before: 10, Speed: 2, Phases: []string{"deploy"}, Servers: []int{os.Getpid()},
	})
	require.NoError(t, err)
	var out bytes.Buffer
	if err := Main(context.Background(), bytes.NewReader(in), &out); err != nil {
		return Result{}, err
	}
	var r Result
	return r, json.Unmarshal(out.Bytes(), &r)
}

func TestEveryKindIsMadeAgain(t *testing.T) {
	r, err := play(t, recording(), reference.Start(t))
	require.NoError(t, err)
	require.Len(t, r.Phases, 1)
	deploy := r.Phases[0]
	require.Equal(t, "deploy", deploy.Name)
	require.EqualValues(t, 24, deploy.Latency.Count, "writes")
	require.EqualValues(t, 3, deploy.Reads.Count, "gets")
	require.EqualValues(t, 41, deploy.Ops)
	require.Positive(t, deploy.Latency.P50)
	require.Positive(t, deploy.Memory)
	require.Greater(t, deploy.Seconds, 0.1, "41 requests, 5 ms apart, twice as fast")
	require.GreaterOrEqual(t, r.Events, int64(18+9), "a watch of all writes that were not refused, and one of one key's")
	require.LessOrEqual(t, r.Events, int64(18+18+9), "and one of all that was cancelled")
}

func TestAnotherOutcomeFails(t *testing.T) {
	endpoint := reference.Start(t)
	_, err := play(t, recording(), endpoint)
	require.NoError(t, err)
	wrong := recording()
	for i := range wrong.Requests {
		wrong.Requests[i].Stale = false
	}
	_, err = play(t, wrong, endpoint)
	require.ErrorIs(t, err, errOutcome)
}

// A read at a revision that a compaction behind it takes away is answered before it, however late it comes: here it waits
// for what it refers to.
func TestACompactionOvertakesNoRead(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	recorded := &trace.Trace{Requests: []trace.Request{
		{Kind: trace.Range, Key: "a", Since: trace.None, Lease: trace.None},
		{Kind: trace.Range, Key: "a", Since: 0, Lease: trace.None},
		{Kind: trace.Create, Key: "a", Since: trace.None, Lease: trace.None},
		{Kind: trace.Compact, Since: 2, Lease: trace.None},
	}}
	p, err := newPlayer(Job{Endpoints: []string{reference.Start(t)}, Before: 1, Speed: 1}, recorded, cancel)
	require.NoError(t, err)
	defer p.close()
	for i := range recorded.Requests[1:] {
		require.NoError(t, p.begin(ctx, 1+i, recorded.Requests[1+i]))
	}
	const empty = 1 // the revision of an empty store
	require.NoError(t, p.await(ctx, p.answers[2].known))
	require.Never(t, func() bool {
		_, err := pb.NewKVClient(p.conns[0]).Range(ctx, &pb.RangeRequest{Key: []byte("a"), Revision: empty})
		return err != nil
	}, 300*time.Millisecond, 10*time.Millisecond)
	p.answered(0, &pb.ResponseHeader{Revision: empty}, 0)
	p.under.Wait()
	require.NoError(t, context.Cause(ctx))
}

// A watch that brought less than was written must be found: here it begins after the writes, and is told that it did
// before.
func TestAMissedEventFails(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	p, err := newPlayer(Job{Endpoints: []string{reference.Start(t)}, Before: 1, Speed: 1}, recording(), cancel)
	require.NoError(t, err)
	defer p.close()
	s, err := p.stream(ctx, trace.Request{})
	require.NoError(t, err)
	s.send(trace.Request{Kind: trace.Watch, Key: "k", Since: trace.None, Lease: trace.None})
	require.NoError(t, p.checkWatches(ctx))
	p.writes = append(p.writes, write{revision: 1 << 40, key: "k"})
	short, stop := context.WithTimeout(ctx, 100*time.Millisecond)
	defer stop()
	require.ErrorContains(t, p.checkWatches(short), "has brought 0 events of 1")
}

func TestValuesHaveTheirSize(t *testing.T) {
	v := newValues(1)
	for _, size := range []int{0, 1, 10, 5000, 100_000} {
		require.Len(t, v.next(size), size)
	}
	require.NotEqual(t, v.next(1000), v.next(1000))
}

// What is replayed by default is what it is said to be: about as many requests as were counted at a real control plane
// for 500 pods, and all of them can be made again.
func TestTheControlPlaneIsRecordedWhole(t *testing.T) {
	recorded, err := open("")
	require.NoError(t, err)
	phases, counts := recorded.Counts()
	require.Equal(t, []string{"start", "deploy", "roll", "delete"}, phases)
	sum := 0
	for _, n := range counts["deploy"] {
		sum += n
	}
	require.InDelta(t, 3856, sum, 800, "requests of a deployment")
	require.Greater(t, counts["deploy"][trace.Create], 1000, "pods and their events")
	require.Greater(t, counts["delete"][trace.Delete], 500)
	require.Greater(t, counts["start"][trace.Watch], 50)
	require.Less(t, len(controlPlane), 300<<10)
	seen := make(map[string]int)
	for i, r := range recorded.Requests {
		require.Less(t, r.Since, i)
		require.Less(t, r.Lease, i)
		if r.Lease != trace.None {
			require.Equal(t, trace.Grant, recorded.Requests[r.Lease].Kind)
		}
		if r.Write() && !r.Stale {
			there := seen[r.Key] > 0
			require.Equal(t, r.Kind != trace.Create, there, "request %d, %s of %q", i, r.Kind, r.Key)
			if seen[r.Key]++; r.Kind == trace.Delete {
				seen[r.Key] = 0
			}
		}
	}
}
