package observe

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/observepb"
	"github.com/zkine/zkine/server/usage"
	"github.com/zkine/zkine/server/v3rpc"
)

// Config is what the service tells.
type Config struct {
	// Access says who may ask.
	Access v3rpc.Access
	// Usage is who asks for what, as usage.Recorder.Report.
	Usage func(interval time.Duration, limit int) usage.Report
	// Member is where the member stands.
	Member func() Member
	// Ensemble asks the ZooKeeper servers, all at once; nil if there are none to ask.
	// ctx bounds it.
	Ensemble func(ctx context.Context) []Server
}

// Register puts the service on a gRPC server.
func Register(to grpc.ServiceRegistrar, cfg Config) {
	observepb.RegisterObserveServer(to, &service{cfg: cfg})
}

type service struct {
	observepb.UnsafeObserveServer
	cfg Config

	// asking is held while the ensemble is asked. asked is when that was last done.
	asking  sync.Mutex
	asked   time.Time
	servers []Server
}

func (s *service) Usage(ctx context.Context, r *observepb.UsageRequest) (*observepb.UsageResponse, error) {
	if err := s.authorize(ctx, r); err != nil {
		return nil, err
	}
	interval := min(max(r.GetIntervalMs(), 0), usage.MaxInterval.Milliseconds())
	return FromReport(s.cfg.Usage(time.Duration(interval)*time.Millisecond, int(min(r.GetLimit(), usage.MaxLimit)))), nil
}

func (s *service) Member(ctx context.Context, r *observepb.MemberRequest) (*observepb.MemberResponse, error) {
	if err := s.authorize(ctx, r); err != nil {
		return nil, err
	}
	return fromMember(s.cfg.Member()), nil
}

func (s *service) Ensemble(ctx context.Context, r *observepb.EnsembleRequest) (*observepb.EnsembleResponse, error) {
	if err := s.authorize(ctx, r); err != nil {
		return nil, err
	}
	resp := &observepb.EnsembleResponse{}
	for _, server := range s.ask(ctx) {
		resp.Servers = append(resp.Servers, fromServer(server))
	}
	return resp, nil
}

func (s *service) authorize(ctx context.Context, r proto.Message) error {
	return v3rpc.ToGRPC(ctx, s.cfg.Access.Authorize(ctx, r))
}

// askAgain is how long an answer of the ensemble serves for others, and askTimeout how
// long it may take.
const (
	askAgain   = time.Second
	askTimeout = 2 * time.Second
)

// ask asks the ensemble, unless it was asked just now.
func (s *service) ask(ctx context.Context) []Server {
	if s.cfg.Ensemble == nil {
		return nil
	}
	s.asking.Lock()
	defer s.asking.Unlock()
	if s.asked.IsZero() || time.Since(s.asked) >= askAgain {
		// What others will be told does not end with this call.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		s.servers = s.cfg.Ensemble(ctx)
		s.asked = time.Now()
	}
	return s.servers
}
