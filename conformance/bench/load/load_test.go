package load

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/reference"
)

// on runs a job on an etcd, as Main does.
func on(t *testing.T, endpoint string, job Job) Result {
	t.Helper()
	job.Endpoint, job.Prefix, job.Keys, job.Value, job.Connections = endpoint, "/t/", 200, 100, 2
	if job.Workload == "create" {
		job.Prefix = "/new/"
	}
	job.Seed = uint64(time.Now().UnixNano())
	in, err := json.Marshal(job)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, Main(context.Background(), bytes.NewReader(in), &out))
	var r Result
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))
	return r
}

// Each plan's own checks would fail it.
func TestEachPlanDoesWhatItSaysOnAnEtcd(t *testing.T) {
	endpoint := reference.Start(t)
	on(t, endpoint, Job{Workload: "fill", Clients: 3})
	for name := range plans {
		r := on(t, endpoint, Job{Workload: name, Clients: 3, Watchers: 5, Warmup: time.Second / 20, Duration: time.Second / 10})
		if name == "fill" {
			continue
		}
		require.Positive(t, r.Ops, name)
		require.Equal(t, r.Ops, r.Latency.Count, name)
		require.Positive(t, r.Seconds, name)
		require.Positive(t, r.ClientCPU, name)
		switch name {
		case "list", "paged", "rangestream":
			require.Equal(t, 200*r.Ops, r.Items, name)
		case "watch":
			require.Equal(t, 5*r.Ops, r.Items, name)
			require.Equal(t, r.Items, r.Delivery.Count, name)
		}
	}
}

func TestAScheduleIsKept(t *testing.T) {
	endpoint := reference.Start(t)
	on(t, endpoint, Job{Workload: "fill", Clients: 3})
	r := on(t, endpoint, Job{Workload: "get", Clients: 4, Rate: 200, Duration: time.Second})
	require.InDelta(t, 200, float64(r.Ops), 10)
}

func TestAWrongAnswerFails(t *testing.T) {
	endpoint := reference.Start(t)
	on(t, endpoint, Job{Workload: "fill", Clients: 3})
	for _, name := range []string{"list", "paged", "rangestream", "count", "update"} {
		_, err := run(context.Background(), Job{
			Workload: name, Endpoint: endpoint, Prefix: "/t/", Keys: 201, Value: 100, Clients: 1, Connections: 1, Duration: time.Second / 10,
		})
		require.ErrorContains(t, err, "201", name)
	}
}
