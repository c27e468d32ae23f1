package load

import "context"

// plan is a workload. First prepare is called; then, twice, op at once for different clients and one after the other
// for each, and rest when all are done: once to warm up, once with the clock running; then check.
type plan interface {
	// prepare connects and sees to it that the data is there.
	prepare(ctx context.Context) error
	// op does one operation for a client, from 0, and counts what it got in the client's tally.
	op(ctx context.Context, client int, t *tally) error
	// rest returns when nothing is under way any more. The clock still runs.
	rest(ctx context.Context) error
	// check looks at the whole after the clock has stopped, and adds to the result what only the plan knows.
	check(ctx context.Context, r *Result) error
	close()
}

// tally is what one client has done since the clock started.
type tally struct {
	ops     int64
	items   int64
	bytes   int64
	latency histogram
}

// plans are the workloads by name.
var plans = map[string]func(Job) plan{
	"fill":        newFill,
	"create":      newCreate,
	"update":      newUpdate,
	"update-go":   newUpdateGo,
	"puts":        newPuts,
	"mixed":       newMixed,
	"get":         func(j Job) plan { return newGet(j, false) },
	"get-serial":  func(j Job) plan { return newGet(j, true) },
	"get-go":      newGetGo,
	"list":        newList,
	"paged":       newPaged,
	"rangestream": newRangeStream,
	"count":       newCount,
	"watch":       newWatch,
	"lease-grant": newGrant,
	"lease-alive": newKeepAlive,
}
