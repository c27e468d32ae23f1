package console

import (
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/backend/observepb"
	"github.com/zkine/zkine/server/observe"
)

// mostBusy is how many prefixes, and how many clients, are told.
const mostBusy = 100

// What zkine tells of itself is for root, where users count: it tells of all that others do.

func (c *caller) observe() observepb.ObserveClient { return observepb.NewObserveClient(c.Conn) }

// forRoot has a refusal say who may ask.
func forRoot(err error) error {
	if status.Code(err) == codes.PermissionDenied {
		return refusal{http.StatusForbidden, "permission denied: this is for the user root"}
	}
	return err
}

// usage tells who asked for what: ?seconds=, 60 if it is left out.
func (c *Console) usage(r *http.Request, by *caller) (any, error) {
	seconds, err := strconv.Atoi(r.URL.Query().Get("seconds"))
	if err != nil || seconds < 1 || seconds > 3600 {
		seconds = 60
	}
	report, err := by.observe().Usage(by.ctx, &observepb.UsageRequest{IntervalMs: int64(seconds) * 1000, Limit: mostBusy})
	if err != nil {
		return nil, forRoot(err)
	}
	return observe.ToReport(report), nil
}

// ensemble tells of the servers of ZooKeeper, where they tell.
func (c *Console) ensemble(_ *http.Request, by *caller) (any, error) {
	servers, err := by.observe().Ensemble(by.ctx, &observepb.EnsembleRequest{})
	if err != nil {
		return nil, forRoot(err)
	}
	return map[string]any{"servers": observe.ToServers(servers)}, nil
}
